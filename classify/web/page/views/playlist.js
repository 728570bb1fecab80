// Keeps finds as a playlist: how many, how sure, how many an artist, with or without what is liked already.

import { ask } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { byId, h } from "../base/dom.js";
import { currentTaste, state } from "../base/state.js";
import { inline } from "../base/words.js";

const dialog = byId("playlist-dialog");
const form = dialog.querySelector("form");
const KEPT_MS = 60_000; // a browser may ask where to put a file

const many = h("input", {
  type: "number",
  class: "input",
  min: 1,
  max: 10000,
  placeholder: "all",
  id: "playlist-top",
});
const artist = h("input", {
  type: "number",
  class: "input",
  min: 1,
  max: 100,
  placeholder: "any number",
  id: "playlist-artist",
});
const sure = choice("playlist-sure", [
  ["like", "Likely songs"],
  ["unsure", "Likely and unsure songs"],
]);
const labelled = choice("playlist-labelled", [
  ["", "Only what is new to me"],
  ["true", "What I like already, too"],
]);
const kind = choice("playlist-kind", [
  ["m3u8", "M3U8 (most players)"],
  ["xspf", "XSPF"],
  ["pls", "PLS"],
]);

export function startPlaylist() {
  byId("playlist-fields").append(
    field("How many", many),
    field("Which", sure),
    field("At most of one artist", artist),
    field("Songs", labelled),
    field("Kind of file", kind),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
}

function choice(id, options) {
  return h(
    "select",
    { id, class: "select" },
    ...options.map(([value, words]) => h("option", { value }, words)),
  );
}

function field(words, control) {
  return h("label", { class: "field" }, h("span", {}, words), control);
}

/** Ask how the playlist shall be. What is searched for in the finds is taken over. */
export function openPlaylist() {
  const { q } = state.query;
  byId("playlist-words").textContent = q
    ? `The finds that match “${inline(q)}”, best first.`
    : "What you are likely to like, best first.";
  dialog.showModal();
}

async function save() {
  const { q } = state.query;
  const params = {
    taste: state.taste,
    top: many.value,
    // Liked songs are likely, too; what is unsure begins where the taste says so.
    verdict: sure.value === "like" ? "like" : "",
    min_score: sure.value === "unsure" ? currentTaste()?.unsure?.[0] : "",
    per_artist: artist.value,
    labelled: labelled.value,
    q: state.view === "discover" ? q : "",
  };
  try {
    const answer = await ask(`/playlist.${kind.value}`, { params });
    const link = h("a", {
      href: URL.createObjectURL(await answer.blob()),
      download: `${state.taste}.${kind.value}`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
    dialog.close();
    say("The playlist is saved.");
  } catch (error) {
    dialog.close();
    sayError(error);
  }
}
