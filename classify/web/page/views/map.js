// The library as a map: songs that sound alike lie close together. Drawn on a canvas, so that 100,000 songs move
// at 60 frames a second; colour is match, shape is label. A click plays, a drag moves, the wheel, two fingers and
// the buttons zoom, and with the lasso songs are liked together.

import { askJson } from "../base/api.js";
import { bdi, byId, h, icon } from "../base/dom.js";
import { details } from "../song/details.js";
import { hear, playFrom } from "../player/player.js";
import { labelTogether } from "../songs/labelling.js";
import { on, state } from "../base/state.js";
import { count, nameOf, songs } from "../base/words.js";
import { drawDots, themeColours } from "./map_paint.js";
import { startPointers } from "./map_pointers.js";
import { nearest, parseMap, within } from "./map_points.js";

const MOST_LIKED = 20; // at once: more is a slip of the hand
const NEAR_PX = 14;
const STEP = 1.4; // of the buttons and keys
const view = byId("map");
const canvas = h("canvas", { tabindex: 0, role: "img", "aria-label": "Map of the library" });
const tip = h("div", { class: "map-tip", hidden: true });
const said = h("p", { class: "small muted", role: "status", id: "map-said" });
const lassoButton = h(
  "button",
  { type: "button", class: "button small-button", "aria-pressed": "false" },
  "Lasso",
);
const likeButton = h("button", { type: "button", class: "button primary small-button", hidden: true }, "");
/** @type {any} */
let points = null;
let zoom = 1;
let [left, top] = [0, 0]; // of the view, in units of the map
let hovered = -1;
let frame = 0;
/** @type {[number, number][]} */
let lasso = [];
let chosen = /** @type {number[]} */ ([]);
let stale = true;

export function startMap() {
  view.replaceChildren(
    h(
      "div",
      { class: "view-top" },
      h("h2", {}, "Map"),
      h("span", { class: "map-acts" }, likeButton, lassoButton, zoomButton("in"), zoomButton("out")),
    ),
    h(
      "p",
      { class: "muted small" },
      "Songs that sound alike lie close together. Stronger colour: a better match. A ring: liked; a cross: not for you.",
    ),
    said,
    h("div", { class: "map-box" }, canvas, tip),
  );
  for (const name of ["taste", "applied", "library", "elsewhere-shown"]) on(name, outdated);
  on("label", ({ id, label }) => {
    const at = points?.at.get(id);
    if (at !== undefined) points.labels[at] = label;
    draw();
  });
  on("view", () => state.view === "map" && enter());
  on("ready", () => state.view === "map" && enter());
  on("playing", draw);
  lassoButton.addEventListener("click", () => setLasso(lassoButton.getAttribute("aria-pressed") !== "true"));
  likeButton.addEventListener("click", likeChosen);
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  startPointers(canvas, {
    hover,
    pan,
    zoom: zoomAt,
    draw,
    press: (x, y) => press(find(x, y)),
    isDrawing: isLasso,
    outline: (line) => (lasso = line),
    close: choose,
  });
  canvas.addEventListener("keydown", byKey);
}

function zoomButton(way) {
  const zoom = () => zoomAt(...middle(), way === "in" ? STEP : 1 / STEP);
  const name = `Zoom ${way}`;
  const look = { type: "button", class: "icon", "aria-label": name, title: name, onclick: zoom };
  return h("button", look, icon(way === "in" ? "plus" : "minus"));
}

function outdated() {
  stale = true;
  if (state.view === "map") enter();
}

async function enter() {
  if (!stale && points) return draw();
  said.textContent = "Drawing the map …";
  try {
    const params = { taste: state.taste };
    points = parseMap(await askJson("/map", { params }));
    stale = false;
    said.textContent = points.n
      ? `${songs(points.n)}. Click a song to hear it.`
      : "The map fills as soon as music has been heard.";
    fit();
  } catch (error) {
    said.textContent = error.status === 404 ? "This service has no map." : error.message;
  }
  return draw();
}

function fit() {
  [zoom, left, top] = [1, 0, 0];
}

/** From units of the map (0 to 1) to pixels of the canvas, and back. */
function scale() {
  const size = Math.min(canvas.clientWidth, canvas.clientHeight) * zoom;
  const dx = (canvas.clientWidth - size / zoom) / 2;
  const dy = (canvas.clientHeight - size / zoom) / 2;
  return { size, dx, dy };
}

function pixel(i) {
  const { size, dx, dy } = scale();
  return [dx + (points.x[i] - left) * size, dy + (points.y[i] - top) * size];
}

function unit(px, py) {
  const { size, dx, dy } = scale();
  return [(px - dx) / size + left, (py - dy) / size + top];
}

export function draw() {
  if (!frame) frame = requestAnimationFrame(paint);
}

function paint() {
  frame = 0;
  if (state.view !== "map" || !canvas.clientWidth) return;
  const ratio = Math.min(2, devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (!points) return pen.clearRect(0, 0, width, height);
  const probe = themeColours();
  const colours = [0, 1, 2, 3, 4, 5].map((step) => probe(step ? `--step-${step}` : "--edge"));
  const dot = points.n > 20000 ? 1.5 : points.n > 2000 ? 2.2 : 4;
  drawDots(pen, points, { ...scale(), left, top }, colours, dot);
  return drawMarks(pen, probe("--ink"), probe("--accent"), dot);
}

function drawMarks(pen, ink, accent, dot) {
  pen.lineWidth = 2;
  pen.strokeStyle = ink;
  for (let i = 0; i < points.n; i += 1) {
    const label = points.labels[i];
    if (!label) continue;
    const [px, py] = pixel(i);
    pen.beginPath();
    if (label === "like") pen.arc(px, py, dot + 3, 0, 7);
    else for (const way of [1, -1]) (pen.moveTo(px - 4, py - 4 * way), pen.lineTo(px + 4, py + 4 * way));
    pen.stroke();
  }
  pen.strokeStyle = accent;
  pen.lineWidth = 3;
  const now = state.playing && points.at.get(state.playing.id);
  for (const i of [now, hovered, ...chosen]) {
    if (i === undefined || i === null || i < 0) continue;
    pen.beginPath();
    pen.arc(...pixel(i), dot + 6, 0, 7);
    pen.stroke();
  }
  if (lasso.length < 2) return;
  pen.beginPath();
  for (const [x, y] of lasso) pen.lineTo(x, y);
  pen.stroke();
}

function pan(dx, dy) {
  const { size } = scale();
  left -= dx / size;
  top -= dy / size;
}

function zoomAt(px, py, by) {
  const [ux, uy] = unit(px, py);
  zoom = Math.max(1, Math.min(60, zoom * by));
  const [vx, vy] = unit(px, py);
  left += ux - vx;
  top += uy - vy;
  if (zoom === 1) fit();
  draw();
}

function find(px, py) {
  if (!points) return -1;
  const { size } = scale();
  return nearest(points, ...unit(px, py), NEAR_PX / size);
}

function hover(px, py) {
  const i = px < 0 ? -1 : find(px, py);
  if (i === hovered) return;
  hovered = i;
  tip.hidden = i < 0;
  if (i >= 0) {
    const [x, y] = pixel(i);
    showName(i);
    tip.style.left = `${Math.min(x, canvas.clientWidth - 180)}px`;
    tip.style.top = `${y + 14}px`;
  }
  draw();
}

/** The name comes from the service: the map has places alone. */
async function showName(i) {
  tip.replaceChildren("…");
  try {
    const { song } = await details(points.ids[i], "map");
    if (hovered === i) tip.replaceChildren(bdi(nameOf(song)));
  } catch {
    // another song is pointed at by now
  }
}

async function press(i) {
  if (i < 0) return;
  const { song } = await details(points.ids[i], "map, pressed");
  playFrom({ name: "map", next: () => null, peek: () => null });
  hear(song);
}

function isLasso() {
  return lassoButton.getAttribute("aria-pressed") === "true";
}

function setLasso(now) {
  lassoButton.setAttribute("aria-pressed", String(now));
  [lasso, chosen] = [[], []];
  likeButton.hidden = true;
  said.textContent = now ? "Draw a line around songs that you like." : `${songs(points?.n ?? 0)}.`;
  draw();
}

function choose() {
  const outline = lasso.map(([x, y]) => unit(x, y));
  const inside = points ? within(points, outline) : [];
  chosen = inside.filter((i) => !points.labels[i]);
  const n = Math.min(MOST_LIKED, chosen.length);
  likeButton.hidden = !n;
  likeButton.textContent = `Like ${songs(n)}`;
  if (chosen.length > MOST_LIKED) {
    said.textContent = `${count(chosen.length)} songs; the ${MOST_LIKED} best matches of them can be liked at once.`;
    chosen = chosen.sort((one, two) => points.steps[two] - points.steps[one]).slice(0, MOST_LIKED);
  } else if (!n) said.textContent = inside.length ? "All of these have a label." : "No song lies within that line.";
  else said.textContent = "Another line chooses other songs.";
  lasso = [];
  draw();
}

function likeChosen() {
  const liked = chosen.map((i) => ({ id: points.ids[i], label: points.labels[i] }));
  setLasso(false);
  labelTogether(liked, "like", () => `Liked ${songs(liked.length)}`);
}

function middle() {
  return [canvas.clientWidth / 2, canvas.clientHeight / 2];
}

/** Arrows move, plus and minus zoom: the list has every song for who can't point. */
function byKey(event) {
  const step = 40;
  const ways = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (event.key in ways) pan(...ways[event.key]);
  else if (event.key === "+" || event.key === "=") zoomAt(...middle(), STEP);
  else if (event.key === "-") zoomAt(...middle(), 1 / STEP);
  else return;
  event.preventDefault();
  draw();
}
