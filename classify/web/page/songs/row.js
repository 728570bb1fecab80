// One row of the list: made once, filled again with whatever song comes into view there.

import { cover } from "../song/cover.js";
import { bdi, h, icon, labelButtons, pressLabels, setIcon } from "../base/dom.js";
import { labelOf, toggleLabel } from "./labelling.js";
import { emit, state } from "../base/state.js";
import {
  clock,
  count,
  matchOf,
  movedWords,
  placesMoved,
  rowWords,
  score,
  tagWords,
  titleOf,
  verdictWord,
} from "../base/words.js";

const FEW_TAGS = 2; // where there is no column for them

/**
 * @param {{open: (index: number) => void, play: (index: number) => void}} act
 * @returns {any} a row that `fillRow` fills
 */
export function makeRow(act) {
  const row = h("div", { role: "row", class: "row row-shape", tabindex: "-1" });
  const index = () => Number(row.dataset.index);
  row.addEventListener("click", (event) => {
    if (!event.target.closest("button")) act.open(index());
  });
  return row;
}

/**
 * @param {any} row
 * @param {number} index
 * @param {import("../base/state.js").Song | undefined} song undefined while it is not loaded
 * @param {{play: (index: number) => void}} act
 */
export function fillRow(row, index, song, act) {
  row.dataset.index = String(index);
  row.setAttribute("aria-rowindex", String(index + 2));
  if (row.song === song && row.children.length) return undefined; // what else changes calls `markRow`
  row.song = song;
  row.classList.toggle("loading", !song);
  if (!song) {
    delete row.dataset.id;
    row.setAttribute("aria-label", `Place ${count(index + 1)}, loading`);
    row.replaceChildren(...skeleton());
    return undefined;
  }
  row.dataset.id = song.id;
  // The button that was pressed goes with its song; what it would press next time is another song's.
  const inside = row !== document.activeElement && row.contains(document.activeElement);
  const cell = (name, ...children) => h("span", { role: "gridcell", class: name }, ...children);
  row.replaceChildren(
    cell("c-rank", h("span", {}, song.rank ? count(song.rank) : "–"), moved(song)),
    songCell(song, () => act.play(Number(row.dataset.index))),
    cell("c-tags", ...tagMarks(song)),
    cell("c-match", matchMark(song)),
    cell("c-score", h("span", { class: "digits" }, score(song.score))),
    cell("c-verdict", verdictMark(song.verdict)),
    cell("c-time", song.duration_s ? clock(song.duration_s) : "–"),
    cell(
      "c-label",
      ...labelButtons(song, titleOf(song), (label) => toggleLabel(song, label), { tabindex: -1 }),
    ),
  );
  if (inside) row.focus({ preventScroll: true });
  return markRow(row);
}

/** Show above a row what begins with it: "Likely: 6 songs". @param {any} row @param {string} heading */
export function headRow(row, heading) {
  if ((row.dataset.group ?? "") === heading) return;
  if (heading) row.dataset.group = heading;
  else delete row.dataset.group;
  markRow(row);
}

/** Show what changes without another song: label, selection, what plays. */
export function markRow(row) {
  const song = row.song;
  if (!song) return;
  const label = labelOf(song);
  const playing = state.playing?.id === song.id;
  const sounding = playing && !state.paused;
  const heading = row.dataset.group ? `${row.dataset.group}. ` : "";
  const words = rowWords({ ...song, label }, state.view === "library");
  row.setAttribute("aria-label", heading + words + (sounding ? ", playing" : ""));
  row.setAttribute("aria-selected", String(state.selected?.id === song.id));
  row.classList.toggle("playing", playing);
  row.classList.toggle("sounding", sounding);
  if (label) row.dataset.labelled = label;
  else delete row.dataset.labelled;
  pressLabels(row, label);
  const play = row.querySelector(".row-play");
  play.setAttribute("aria-label", `${sounding ? "Pause" : "Play"} ${titleOf(song)}`);
  setIcon(play, sounding ? "pause" : "play");
}

function songCell(song, play) {
  const album = song.album ? h("span", song.artist ? { class: "album" } : {}, song.artist ? " · " : "", bdi(song.album)) : null;
  return h(
    "span",
    { role: "gridcell", class: "c-song" },
    h(
      "button",
      { type: "button", class: "icon row-play", tabindex: -1, onclick: play },
      ...cover(song),
      icon("play"),
    ),
    h(
      "span",
      { class: "names" },
      bdi(titleOf(song), { class: "title" }),
      h(
        "span",
        { class: "below" },
        h("span", { class: "artist" }, song.artist ? bdi(song.artist) : null, album),
        h("span", { class: "few-tags", "aria-hidden": "true" }, ...tagMarks(song).slice(0, FEW_TAGS)),
      ),
    ),
  );
}

/** What a song sounds like, in two or three words to look at; none where its encoder has no words. */
export function tagMarks(song) {
  return tagWords(song).map((tag) => h("span", { class: "tag" }, tag));
}

/** The same words, each a button that searches for it. */
export function tagChips(song) {
  return tagWords(song).map((tag) => {
    const search = () => emit("tag", tag);
    return h("button", { type: "button", class: "chip", title: `Search for ${tag}`, onclick: search }, tag);
  });
}

/** Five bars, of which as many are filled as the match has steps; how many is said in words beside it. */
export function matchMark(song) {
  const step = matchOf(song);
  if (!step) return null;
  const bars = h("span", { class: "match", "aria-hidden": "true", dataset: { step: String(step) } });
  for (let i = 1; i <= 5; i += 1) bars.append(h("span", { class: i <= step ? "on" : "" }));
  bars.title = `match ${step} of 5`;
  return bars;
}

/** The verdict as a word with a mark of its own shape, so that colour is not needed. */
export function verdictMark(verdict) {
  if (!verdict) return null;
  return h("span", { class: "verdict", dataset: { verdict } }, verdictWord(verdict));
}

function moved(song) {
  const places = placesMoved(song);
  if (!places) return null;
  return h(
    "span",
    { class: "moved", title: movedWords(places), dataset: { delta: String(places) } },
    h("span", { "aria-hidden": "true" }, `${places > 0 ? "▲" : "▼"}\u2009${count(Math.abs(places))}`),
  );
}

function skeleton() {
  const bone = (name) => h("span", { role: "gridcell", class: name }, h("span", { class: "bone" }));
  return ["c-rank", "c-song", "c-tags", "c-match", "c-score", "c-verdict", "c-time", "c-label"].map(bone);
}
