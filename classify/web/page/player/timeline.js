// The song from left to right on one axis of time: its sound, its score, the passages that carried it, and
// where it plays. It is a slider: click, drag, or arrow keys.

import { byId, h, s } from "../base/dom.js";
import { clock, points } from "../base/words.js";

const slider = byId("seek");
const picture = byId("spectrogram");
const curve = byId("curve");
const coarse = byId("coarse");
const passages = byId("passages");
const head = byId("head");
const veil = byId("veil");
const ghost = byId("ghost");
const STEP_S = 5;
const LEAP_S = 30;
let length = 0;

/** @param {{seek: (at_s: number) => void, toggle: () => void, at: () => number}} player */
export function startTimeline(player) {
  let dragging = false;
  const pointed = (event) => {
    const box = slider.getBoundingClientRect();
    return length * Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
  };
  slider.addEventListener("pointerdown", (event) => {
    if (!length || event.button) return;
    dragging = true;
    slider.setPointerCapture(event.pointerId);
    player.seek(pointed(event));
  });
  slider.addEventListener("pointermove", (event) => {
    if (!length) return;
    if (dragging) player.seek(pointed(event));
    hover(pointed(event));
  });
  for (const end of ["pointerup", "pointercancel"]) slider.addEventListener(end, () => (dragging = false));
  slider.addEventListener("pointerleave", () => (ghost.hidden = true));
  slider.addEventListener("keydown", (event) => {
    if (!length || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = {
      ArrowLeft: -STEP_S,
      ArrowDown: -STEP_S,
      ArrowRight: STEP_S,
      ArrowUp: STEP_S,
      PageDown: -LEAP_S,
      PageUp: LEAP_S,
    };
    if (event.key in moves) player.seek(player.at() + moves[event.key]);
    else if (event.key === "Home") player.seek(0);
    else if (event.key === "End") player.seek(length);
    else if (event.key === " " || event.key === "Enter") player.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  picture.addEventListener("error", () => shown(false));
  picture.addEventListener("load", () => shown(true));
}

/** The picture is there, or there is none to come. */
function shown(here) {
  picture.hidden = !here;
  if (here) coarse.replaceChildren();
  slider.classList.remove("waiting");
}

function hover(at_s) {
  ghost.hidden = false;
  ghost.style.left = `${(100 * at_s) / length}%`;
  ghost.firstElementChild.textContent = clock(at_s);
}

/** Show another song: its picture, and no curve yet. */
export function showSound(song, source) {
  length = song.duration_s ?? 0;
  picture.hidden = true;
  slider.classList.toggle("waiting", Boolean(source));
  if (source) picture.src = source;
  else picture.removeAttribute("src");
  for (const one of [coarse, curve, passages]) one.replaceChildren();
  slider.setAttribute("aria-disabled", String(!length));
  showTime(0);
}

/** The audio knows the length best. */
export function setLength(seconds) {
  if (Number.isFinite(seconds) && seconds > 0) length = seconds;
  slider.setAttribute("aria-disabled", String(!length));
}

/** @param {number} at_s where it plays */
export function showTime(at_s) {
  const share = length ? Math.min(1, at_s / length) : 0;
  head.style.left = `${100 * share}%`;
  veil.style.left = `${100 * share}%`;
  byId("at").textContent = clock(at_s);
  byId("length").textContent = clock(length);
  slider.setAttribute("aria-valuemax", String(Math.round(length)));
  slider.setAttribute("aria-valuenow", String(Math.round(at_s)));
  slider.setAttribute("aria-valuetext", `${clock(at_s)} of ${clock(length)}`);
}

/** Draw a coarse curve where the sound's picture will be. @param {any} found the song's outline */
export function showOutline({ starts_s: starts, values, duration_s: whole }) {
  if (!picture.hidden || !values.length || !whole) return;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value) => (high > low ? 88 - (70 * (value - low)) / (high - low) : 50).toFixed(1);
  const tops = values.map((value, i) => {
    const end = starts[i + 1] ?? whole;
    return `${((500 * (starts[i] + end)) / whole).toFixed(1)} ${y(value)}`;
  });
  const line = `M0 ${y(values[0])}L${tops.join("L")}L1000 ${y(values.at(-1))}`;
  coarse.replaceChildren(s("path", { d: `${line}L1000 100L0 100Z` }));
  slider.classList.remove("waiting"); // something is there to look at
}

/** Draw the score over time, and mark the passages. @param {any} found the explanation, or null */
export function showScores(found) {
  curve.replaceChildren();
  passages.replaceChildren();
  if (!found?.scores.length || !length) return;
  const y = (value) => Number((96 - 92 * value).toFixed(2));
  const x = (at_s) => ((1000 * Math.min(length, at_s)) / length).toFixed(2);
  const { starts_s, scores } = found;
  const ends = [...starts_s.slice(1), length];
  // Each score is of a window: it stands in its middle, and the line is held to the song's two ends.
  const middle = scores.map((value, i) => `${x((starts_s[i] + ends[i]) / 2)} ${y(value)}`);
  const line = `M0 ${y(scores[0])}L${middle.join("L")}L1000 ${y(scores.at(-1))}`;
  const [low, high] = found.unsure;
  curve.append(
    s("rect", { class: "unsure", x: 0, width: 1000, y: y(high), height: Math.max(0, y(low) - y(high)) }),
    s("line", { class: "threshold", x1: 0, x2: 1000, y1: y(found.threshold), y2: y(found.threshold) }),
    s("path", { class: "under", d: `${line}L1000 100L0 100Z` }),
    s("path", { class: "curve", d: line }),
  );
  passages.replaceChildren(...found.passages.map(passage));
}

function passage(one) {
  const way = one.points < 0 ? "lowers" : "raises";
  const mark = h("span", {
    class: `passage ${way}`,
    title: `${clock(one.start_s)} to ${clock(one.end_s)} ${way} the score (${points(one.points)})`,
  });
  mark.style.left = `${(100 * one.start_s) / length}%`;
  mark.style.width = `${(100 * Math.min(length - one.start_s, one.end_s - one.start_s)) / length}%`;
  return mark;
}
