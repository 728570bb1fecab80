// The songs of the map as columns, and what lies where: the nearest to a point, those within a line. Nothing
// here touches the page.

import { matchOf } from "../base/words.js";

const MARGIN = 0.03;
const NAMES = { 1: "like", "-1": "dislike" };

/** @param {any} answer of `/v1/map` */
export function parseMap(answer) {
  const { n } = answer;
  const ids = hexOf(bytes(answer.ids), n);
  const places = new DataView(bytes(answer.places).buffer);
  const labels = bytes(answer.labels);
  const scores = answer.scores ? bytes(answer.scores) : null;
  const points = {
    n,
    ids,
    x: new Float32Array(n),
    y: new Float32Array(n),
    steps: new Uint8Array(n),
    labels: Array.from({ length: n }, (_, i) => NAMES[(labels[i] << 24) >> 24] ?? null),
    at: new Map(ids.map((id, i) => [id, i])),
  };
  for (let i = 0; i < n; i += 1) {
    const [x, y] = [half(places.getUint16(4 * i, true)), half(places.getUint16(4 * i + 2, true))];
    points.x[i] = MARGIN + ((1 - 2 * MARGIN) * (x + 1)) / 2;
    points.y[i] = MARGIN + ((1 - 2 * MARGIN) * (1 - y)) / 2;
    points.steps[i] = scores ? matchOf({ score: scores[i] / 255 }) : 0;
  }
  return points;
}

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function hexOf(all, n) {
  const digits = Array.from(all, (byte) => byte.toString(16).padStart(2, "0"));
  return Array.from({ length: n }, (_, i) => digits.slice(16 * i, 16 * (i + 1)).join(""));
}

/** A number of 16 bits (IEEE 754 binary16); not all browsers have Float16Array. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

/** The song nearest to a point of the map, within a distance; -1 where there is none. */
export function nearest(points, x, y, most) {
  let best = -1;
  let closest = most * most;
  for (let i = 0; i < points.n; i += 1) {
    const far = (points.x[i] - x) ** 2 + (points.y[i] - y) ** 2;
    if (far < closest) [best, closest] = [i, far];
  }
  return best;
}

/** The songs within a closed line, by the number of times that a ray to the right crosses it. */
export function within(points, outline) {
  const found = [];
  for (let i = 0; i < points.n; i += 1) {
    if (isInside(points.x[i], points.y[i], outline)) found.push(i);
  }
  return found;
}

function isInside(x, y, outline) {
  let inside = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i, i += 1) {
    const [xi, yi] = outline[i];
    const [xj, yj] = outline[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
