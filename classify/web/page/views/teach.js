// Teach: one song at a time, the one that Seven Songs would learn most from. Its best moment plays; like, not
// for me, or skip, and what that changed is said.

import { askJson } from "../base/api.js";
import { bdi, byId, h, icon, labelButtons, pressLabels, setIcon } from "../base/dom.js";
import { cover } from "../song/cover.js";
import { hear, playFrom, toggle } from "../player/player.js";
import { labelOf, setLabel } from "../songs/labelling.js";
import { currentTaste, on, select, state } from "../base/state.js";
import { changedWords, clean, likesOf, sentence, titleOf, trustOf } from "../base/words.js";
import { startSwipe } from "../songs/swipe.js";
import { tagText } from "../songs/row.js";

const view = byId("teach");
const TOP = 12;
const card = h("div", { class: "teach-card", id: "teach-card" });
const said = h("p", { class: "teach-said", role: "status", id: "teach-said" });
const trust = h("div", { class: "trust big-trust" });
/** @typedef {{song: any, reason: string, why: string}} Card */
/** @type {Card[]} */
let ahead = [];
/** @type {Card | null} */
let now = null;
const heading = h("h2", {}, "Do you like this one?");
const skipped = new Set();
let sounds = false; // whether the next card plays by itself
let asked = 0;

export function startTeach() {
  startSwipe(card, () => (now ? { node: card, song: now.song } : null));
  view.replaceChildren(heading, card, said, trust);
  on("view", () => state.view === "teach" && enter());
  on("ready", () => state.view === "teach" && enter());
  on("taste", () => {
    [now, ahead] = [null, []];
    skipped.clear();
    if (state.view === "teach") enter();
  });
  // Only now is it known whether there are songs.
  on("list", () => now === null && view.getAttribute("aria-busy") === "false" && nothing());
  on("label", ({ id, label }) => id === now?.song.id && pressLabels(card, label));
  on("labelled", ({ song, label, answer }) => {
    if (state.view !== "teach" || now === null) return undefined;
    said.textContent = answer.taste.trained
      ? sentence(changedWords(answer))
      : sentence(likesOf(answer.taste));
    if (song.id !== now.song.id || !label) return undefined;
    return next();
  });
  on("figures", showTrust);
  on("playing", showPlaying);
}

/** The song of the card, for keys. */
export function teachSong() {
  return state.view === "teach" ? now?.song : null;
}

/** Pass the card over. */
export function skipCard() {
  if (!now) return;
  skipped.add(now.song.id);
  next();
}

async function enter() {
  showTrust();
  if (!now) await next();
  else select(now.song);
}

async function next() {
  sounds = sounds || (!state.paused && state.playing?.id === now?.song.id);
  const former = now?.song.id;
  ahead = ahead.filter(({ song }) => song.id !== former && usable(song));
  if (!ahead.length) await fetchMore(former);
  now = ahead.shift() ?? null;
  show();
  fetchMore(now?.song.id); // what was learnt may ask for others
}

function usable(song) {
  return !skipped.has(song.id) && !labelOf(song);
}

async function fetchMore(but) {
  const mine = (asked += 1);
  try {
    const params = { taste: state.taste, top: Math.min(50, TOP + skipped.size) };
    const found = await askJson("/suggestions", { params });
    if (mine === asked) ahead = found.songs.filter(({ song }) => song.id !== but && usable(song));
  } catch {
    ahead = []; // nothing left to ask about, or no songs
  }
}

function show() {
  view.setAttribute("aria-busy", "false");
  if (!now) return nothing();
  heading.hidden = false;
  const { song, reason, why } = now;
  const title = titleOf(song);
  card.dataset.id = song.id;
  card.replaceChildren(
    h(
      "button",
      { type: "button", class: "teach-play", "aria-label": `Play ${title}`, onclick: press },
      ...cover(song, "large"),
      icon("play"),
    ),
    h(
      "div",
      { class: "teach-words" },
      h("h3", {}, bdi(title)),
      h("p", { class: "muted" }, bdi(song.artist ?? song.album ?? "")),
      h("p", { class: "teach-tags" }, tagText(song)),
      h("p", { class: "small muted", dir: "auto" }, whyAsked(reason, why)),
    ),
    h("div", { class: "teach-acts" }, ...acts(song, title)),
  );
  select(song);
  playFrom(source);
  if (sounds) hear(song);
  showPlaying();
  return undefined;
}

/** Why this song is asked about. */
function whyAsked(reason, why) {
  const words = {
    start: "Any song that you know your mind about helps to begin.",
    top: "Seven Songs thinks you would like it a lot. Is that so?",
    "coin flip": "Seven Songs can't tell whether you would like it.",
    unknown: "It is unlike anything that you have labelled.",
  };
  return words[reason] ?? sentence(clean(why));
}

function acts(song, title) {
  const [like, dislike] = labelButtons({ label: labelOf(song) }, title, (label) => setLabel(song, label), {
    words: true,
  });
  const skip = h("button", { type: "button", class: "button", onclick: skipCard }, icon("skip"), "Skip");
  return [dislike, skip, like];
}

const source = {
  name: "teach",
  next: (by) => {
    if (by > 0) skipCard();
    return null;
  },
  peek: () => ahead[0]?.song ?? null,
  begin: (song) => (song.duration_s > 60 ? song.duration_s / 3 : null),
};

function press() {
  if (!now) return;
  playFrom(source);
  sounds = true;
  toggle(now.song);
}

function nothing() {
  delete card.dataset.id;
  heading.hidden = true;
  let words = "There is nothing left to ask about.";
  if (skipped.size) words = "You have skipped all that is left. Come back another time.";
  if (state.total === 0) words = "Once music has been heard, it is asked about here.";
  card.replaceChildren(h("p", {}, words));
}

function showPlaying() {
  const button = card.querySelector(".teach-play");
  if (!button || !now) return;
  const sounding = state.playing?.id === now.song.id && !state.paused;
  button.setAttribute("aria-label", `${sounding ? "Pause" : "Play"} ${titleOf(now.song)}`);
  setIcon(button, sounding ? "pause" : "play");
}

function showTrust() {
  const taste = currentTaste();
  if (!taste) return;
  trust.replaceChildren(...trustBar(taste));
}

/** How far a taste can be trusted: words, and five dots, as bars are a match. */
export function trustBar(taste) {
  const { words, step } = trustOf(taste);
  const dots = h("span", {
    class: "trust-dots",
    "aria-hidden": "true",
    dataset: { step: String(step) },
  });
  for (let i = 1; i <= 5; i += 1) dots.append(h("span", { class: i <= step ? "on" : "" }));
  return [dots, h("span", {}, words), h("span", { class: "muted small" }, likesOf(taste))];
}
