// The panel of the song that plays, or would: who it is, like and not for me at once; why, in one sentence;
// its best moments, and what it resembles.

import { askJson } from "../base/api.js";
import { sayError } from "../base/announce.js";
import { alikePart } from "./alike.js";
import { details, moments } from "./details.js";
import { bdi, byId, debounce, h, icon, labelButtons, pressLabels } from "../base/dom.js";
import { labelOf, toggleLabel } from "../songs/labelling.js";
import { changeSong, pages } from "../songs/list.js";
import { seekIn, toggle } from "../player/player.js";
import { currentTaste, on, state } from "../base/state.js";
import { clock, count, sentence, titleOf } from "../base/words.js";
import { matchMark, tagChips, verdictMark } from "../songs/row.js";
import { queuePart } from "./next.js";
import { heardPart, momentsPart, neighbourPart, whyParts, whySentence } from "./why.js";
import { closeSong, openSong } from "../panels/sheets.js";

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
    return song.url ? fillReasons(song) : explainSoon(song.id);
  });
  on("label", ({ id, label }) => {
    if (shown?.id !== id) return;
    shown.label = label;
    pressLabels(body, label);
  });
  on("labelled", ({ more }) => !more && refresh());
  on("elsewhere-shown", refresh);
  on("taste", () => shown && explain(shown.id));
  on("list", agree);
  on("tag", closeSong); // the list lies under it
  on("playing", showPlaying);
  on("queue", showQueue);
}

/** After a label the reasons are old ones until the new ones come: they are hidden, and the match is asked for. */
async function refresh() {
  if (!shown || shown.url) return;
  body.classList.add("old");
  const { id } = shown;
  if (currentTaste()?.trained) await askMatch(id);
  explain(id);
}

async function askMatch(id) {
  try {
    const { score, verdict } = await askJson(`/songs/${id}/score`, { params: { taste: state.taste } });
    if (shown?.id === id) showMatch({ score, verdict });
    changeSong(id, { score, verdict });
  } catch {
    // the reasons, which are asked for next, say what is wrong
  }
}

/** The panel says of its song what its row says. */
function agree() {
  if (!shown) return;
  const index = pages.indexOf(shown.id);
  const row = index < 0 ? null : pages.at(index);
  if (row && row.score !== shown.score) showMatch(row);
}

function showMatch({ score, verdict }) {
  Object.assign(shown, { score, verdict });
  byId("song-figures").replaceChildren(...figures(shown));
}

/** What is known of a song, by its id alone, as links have it. */
export async function openById(id) {
  const { song } = await askJson(`/songs/${id}`, { params: { taste: state.taste } });
  return song;
}

function empty() {
  shown = null;
  delete panel.dataset.id;
  panel.setAttribute("aria-busy", "false");
  const bars = h("div", { class: "seven", "aria-hidden": "true" });
  for (let i = 0; i < 7; i += 1) bars.append(h("span", { class: "on" }));
  const words = h(
    "p",
    { class: "muted" },
    "Play a song to see why you may like it, and its best moments.",
  );
  body.replaceChildren(h("div", { class: "song-empty" }, bars, h("h2", {}, "Nothing plays"), words));
}

function begin(song) {
  shown = song;
  body.classList.remove("old");
  panel.dataset.id = song.id;
  panel.setAttribute("aria-busy", String(!song.url)); // until it is explained
  body.replaceChildren(
    head(song),
    h("div", { id: "song-why" }, ...(song.url ? [] : bones())),
    h("div", { id: "song-next" }),
    h("div", { id: "song-more" }),
    h("div", { id: "song-near" }),
    path(song),
  );
  body.scrollTop = 0;
  showPlaying();
  showQueue();
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
  if (song.score === null || song.score === undefined) return tagChips(song);
  return [verdictMark(song.verdict), matchMark(song), ...tagChips(song)];
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
  const isWanted = () => shown?.id === id && asked === wanted;
  try {
    const known = await details(id, "panel");
    if (!isWanted()) return;
    fill(known);
    const found = known.explanation ? known : await moments(id, "panel");
    if (isWanted()) fillReasons(found);
  } catch (error) {
    if (isWanted() && error.name !== "AbortError") {
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

/** A song that is new here is heard before its moments can be told. */
function tellSlow(id) {
  const bones = shown?.id === id && byId("song-why").querySelector(".bone");
  if (bones) byId("song-why").prepend(h("p", { class: "part muted" }, "Looking for its best moments …"));
}

/** What is known at once. */
function fill({ song, neighbours }) {
  Object.assign(shown, song, { label: labelOf(song) });
  byId("song-figures").replaceChildren(...figures(shown));
  pressLabels(body, shown.label);
  byId("song-near").replaceChildren(...[neighbourPart(neighbours ?? []), alikePart(shown)].filter(Boolean));
}

function fillReasons({ explanation, note }) {
  const seek = (at_s) => seekIn(shown, at_s);
  const whole = shown.url ? null : hearWhole;
  const why = byId("song-why");
  body.classList.remove("old");
  why.replaceChildren(
    ...(explanation ? [whyLine(explanation), heardPart(explanation), momentsPart(explanation, seek, whole)].filter(Boolean) : []),
    ...(note ? [h("p", { class: "part muted" }, sentence(note))] : []),
  );
  byId("song-more").replaceChildren(...(explanation ? whyParts(explanation, seek, place()) : []));
}

/** "Number 8 of 9,993." */
function place() {
  return shown.rank && state.total > 0 ? `Number ${count(shown.rank)} of ${count(state.total)}.` : "";
}

/** Hear all of the song, where only samples of it were heard; its score may change by that. */
async function hearWhole({ target }) {
  const { id } = shown;
  const before = target.textContent;
  target.disabled = true;
  target.textContent = "Hearing the whole song …";
  try {
    const found = await moments(id, "panel", true);
    if (shown?.id !== id) return;
    showMatch(found.song);
    fillReasons(found);
    byId("song-why").querySelector("button")?.focus(); // the one that was pressed has gone
  } catch (error) {
    sayError(error);
    target.disabled = false;
    target.textContent = before;
  }
}

function whyLine(explanation) {
  const label = explanation.label;
  const yours =
    label === "like" ? "You like it. " : label === "dislike" ? "You said it is not for you. " : "";
  return h("p", { class: "part why-line", dir: "auto" }, yours + whySentence(explanation));
}

function showQueue() {
  document.getElementById("song-next")?.replaceChildren(...[queuePart()].filter(Boolean));
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
