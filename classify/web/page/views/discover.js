// The head of the finds: how many songs the listener may like, how far that can be trusted, and what to do with
// them: play them, keep them as a playlist.

import { byId, h, icon } from "../base/dom.js";
import { playFinds } from "../player/sources.js";
import { filterLibrary } from "../songs/filters.js";
import { pages } from "../songs/list.js";
import { currentTaste, on, state } from "../base/state.js";
import { groundsOf, likesOf, songs } from "../base/words.js";
import { openPlaylist } from "./playlist.js";
import { go } from "./views.js";

const hero = byId("hero");
const heading = h("h2", { id: "hero-heading" }, "\u00a0");
const said = h("p", { class: "muted", id: "hero-said" });
const play = button("Play what I'd like", "play", "primary big-button", playFinds);
const save = button("Save playlist", "download", "", openPlaylist);
const likes = button("", "like", "quiet", () => showLabelled("like"));
const ABOUT = 7;

export function startDiscover() {
  play.id = "play-finds";
  save.id = "save-playlist";
  likes.id = "likes-line";
  hero.replaceChildren(
    h("div", { class: "hero-words" }, heading, said),
    h("div", { class: "hero-acts" }, play, save, likes),
  );
  on("list", show);
  on("figures", show);
  on("view", show);
}

function button(words, name, kind, press) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, onclick: () => press() },
    icon(name),
    h("span", {}, words),
  );
}

/** Show in the library what was labelled so. */
function showLabelled(label) {
  go("library");
  filterLibrary({ label });
}

function show() {
  const taste = currentTaste();
  if (!taste || state.view !== "discover") return;
  likes.lastChild.textContent = likesOf(taste);
  const { groups } = pages;
  if (!groups || state.query.q) return;
  const { like, unsure } = groups;
  heading.textContent = like ? `${songs(like)} you may like` : "Nothing is likely yet";
  const more = ABOUT - taste.n_like;
  const hint = more > 0 ? `. About ${more} more likes make it surer` : "";
  said.textContent = like
    ? `${groundsOf(taste)}${hint}.`
    : unsure
      ? `${songs(unsure)} could go either way: a few more likes tell them apart.`
      : "Teach a few more songs that you like.";
  play.disabled = save.disabled = !like && !unsure;
}
