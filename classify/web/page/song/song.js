// The panel of one song: who it is, its score, like and dislike at once; and when they are known, the
// reasons.

import { details } from "./details.js";
import { bdi, byId, debounce, h, icon, labelButtons, pressLabels } from "../base/dom.js";
import { labelOf, toggleLabel } from "../songs/labelling.js";
import { seekIn, toggle } from "../player/player.js";
import { on, state } from "../base/state.js";
import { clock, movedWords, placesMoved, score, sentence, titleOf, verdictWord } from "../base/words.js";
import { neighbourPart, whyParts } from "./why.js";
import { closeSong, openSong } from "../panels/panels.js";

const panel = byId("song");
const body = byId("song-body");
const SLOW_MS = 800;
/** @type {any} */
let shown = null;
let wanted = 0;

export function startSong() {
  empty();
  const explainSoon = debounce(explain, 250); // the keyboard runs through rows faster than songs can be heard
  on("select", (song) => {
    if (!song) return empty();
    if (shown?.id !== song.id) begin(song);
    return explainSoon(song.id);
  });
  on("label", ({ id, label }) => {
    if (shown?.id !== id) return;
    shown.label = label;
    pressLabels(body, label);
  });
  on("labelled", ({ more }) => !more && shown && explain(shown.id));
  on("taste", () => shown && explain(shown.id));
  on("playing", showPlaying);
}

/** Open a song by its id alone, as links do. */
export async function openById(id) {
  const { song } = await details(id, "link");
  return song;
}

function empty() {
  shown = null;
  delete panel.dataset.id;
  panel.setAttribute("aria-busy", "false");
  body.replaceChildren(
    h(
      "div",
      { class: "song-empty" },
      mark(),
      h("h2", {}, "Why that score?"),
      h("p", { class: "muted" }, "Choose a song: its moments, its sound, and what it resembles stand here."),
    ),
  );
}

function mark() {
  const bars = h("div", { class: "seven", "aria-hidden": "true" });
  for (let i = 0; i < 7; i += 1) bars.append(h("span", { class: "on" }));
  return bars;
}

function begin(song) {
  shown = song;
  panel.dataset.id = song.id;
  panel.setAttribute("aria-busy", "true"); // until it is explained
  body.replaceChildren(head(song), h("div", { id: "song-why" }, ...bones()), path(song));
  body.scrollTop = 0;
  showPlaying();
}

function head(song) {
  const close = h(
    "button",
    { type: "button", class: "icon song-close only-narrow", "aria-label": "Close song", onclick: closeSong },
    icon("close"),
  );
  return h(
    "div",
    { class: "song-head" },
    close,
    h("h2", { id: "song-title" }, bdi(titleOf(song))),
    h("p", { class: "song-by" }, ...by(song)),
    h("div", { id: "song-figures", class: "song-figures" }, ...figures(song)),
    h(
      "div",
      { class: "song-acts" },
      h(
        "button",
        { type: "button", id: "song-play", class: "button primary", onclick: () => toggle(shown) },
        icon("play"),
        "Play",
      ),
      ...labelButtons({ label: labelOf(song) }, titleOf(song), (label) => toggleLabel(shown, label), {
        words: true,
      }),
    ),
  );
}

function by(song) {
  const parts = [
    song.artist && bdi(song.artist, { class: "ink" }),
    song.album && bdi(song.album),
    song.duration_s && clock(song.duration_s),
  ];
  return parts.filter(Boolean).flatMap((part, i) => (i ? [" · ", part] : [part]));
}

function figures(song) {
  if (song.score === null || song.score === undefined) return [];
  const places = placesMoved(song);
  return [
    h("span", { class: "song-score" }, score(song.score)),
    h(
      "span",
      { class: "song-verdict" },
      h("span", { class: "verdict", dataset: { verdict: song.verdict } }, verdictWord(song.verdict)),
      h(
        "span",
        { class: "small muted" },
        `rank ${song.rank ?? "–"}${places ? `, ${movedWords(places)}` : ""}`,
      ),
    ),
  ];
}

function path(song) {
  return h("p", { class: "song-path small muted" }, bdi(song.path));
}

function bones() {
  return ["", "", ""].map(() =>
    h(
      "div",
      { class: "part", "aria-hidden": "true" },
      h("span", { class: "bone" }),
      h("span", { class: "bone" }),
      h("span", { class: "bone short" }),
    ),
  );
}

async function explain(id) {
  if (shown?.id !== id) return;
  panel.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => tellSlow(id), SLOW_MS);
  const asked = (wanted += 1); // an older answer, as of another taste, may come last
  try {
    const found = await details(id, "panel");
    if (shown?.id === id && asked === wanted) fill(found);
  } catch (error) {
    if (shown?.id === id && asked === wanted && error.name !== "AbortError") {
      const again = h("button", { type: "button", class: "button", onclick: () => explain(id) }, "Try again");
      byId("song-why").replaceChildren(
        h("div", { class: "part", role: "alert" }, h("p", {}, error.message), again),
      );
    }
  } finally {
    clearTimeout(slow);
    if (asked === wanted) panel.setAttribute("aria-busy", "false");
  }
}

/** A song is heard whole before its score can be told; a long one takes its time. */
function tellSlow(id) {
  const bones = shown?.id === id && byId("song-why").querySelector(".bone");
  if (bones) byId("song-why").prepend(h("p", { class: "part muted" }, "Listening to the whole song …"));
}

function fill({ song, explanation, note, neighbours }) {
  Object.assign(shown, song, { label: labelOf(song) });
  byId("song-figures").replaceChildren(...figures(shown));
  pressLabels(body, shown.label);
  const seek = (at_s) => seekIn(shown, at_s);
  byId("song-why").replaceChildren(
    ...(explanation ? whyParts(explanation, seek) : []),
    ...(note ? [h("section", { class: "part" }, h("p", { class: "muted" }, sentence(note)))] : []),
    ...[neighbourPart(neighbours ?? [])].filter(Boolean),
  );
}

function showPlaying() {
  const button = document.getElementById("song-play");
  if (!button || !shown) return;
  const sounding = state.playing?.id === shown.id && !state.paused;
  button.replaceChildren(icon(sounding ? "pause" : "play"), sounding ? "Pause" : "Play");
}

/** Show a song and, where the panel is a sheet, open that. */
export function showSong(song) {
  if (shown?.id !== song.id) begin(song);
  openSong();
}
