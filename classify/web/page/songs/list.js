// The ranked list. Of 100,000 songs only those in view are in the document: rows of one height, laid out by
// index over a spacer of the whole height (in steps where that is taller than browsers can lay out).
//
// By hand: the keyboard, the scroll bar and a screen reader's count reach all 100,000 songs, with fewer than
// 6,000 elements in the document (tests/browser/test_looks.py).

import { askSongs } from "../base/api.js";
import { byId, debounce } from "../base/dom.js";
import { folded, foldAgain, showFold, startFold } from "./fold.js";
import { SongPages } from "./pages.js";
import { headingsHeight, headingsOf } from "./groups.js";
import { fillRow, headRow, makeRow, markRow } from "./row.js";
import { Moves } from "./moves.js";
import { startSwipe } from "./swipe.js";
import { emit, on, state } from "../base/state.js";

const AHEAD = 40; // rows whose songs are asked for before they come into view
const BEYOND = 6; // rows outside the view, so that a slow scroll never shows a gap
const TALLEST_PX = 12e6; // Firefox lays out no more than about 17.9 million pixels

const scroller = byId("scroller");
const spacer = byId("rows");
const grid = byId("grid");
/** @type {Map<number, any>} rows in the document, by index */
const rows = new Map();
/** @type {any[]} */
const spare = [];
let height = 56;
/** @type {Map<number, string>} */
let headings = new Map();
let active = 0;
let frame = 0;
/** @type {{toggle: (song: any, index: number) => void, hear: (song: any, index: number) => void}} */
let player = { toggle: () => {}, hear: () => {} };

const act = {
  open: (index) => {
    setActive(index, { focus: true });
    const song = pages.at(index);
    if (song) player.hear(song, index);
  },
  play: (index) => {
    setActive(index, { focus: false });
    const song = pages.at(index);
    if (song) player.toggle(song, index);
  },
};

export const pages = new SongPages(
  (offset, limit, signal) => askSongs({ ...state.query, as_of: state.heldOrder }, offset, limit, signal),
  {
    changed: () => taken(),
    failed: (error) => {
      grid.setAttribute("aria-busy", "false");
      emit("list-failed", error);
    },
  },
);
const moves = new Moves();
// While somebody drags the scroll bar through thousands of rows, none of them is worth a request.
const wantSoon = debounce((first, last) => pages.want(first, last), 60);
let wantedFirst = 0;
let faded = false;

/** @param {typeof player} given what plays: a button plays and pauses, a row plays */
export function startList(given) {
  player = given;
  measure();
  startSwipe(spacer, (target) => {
    const row = target.closest("[data-index]");
    return row ? { node: row, song: row.song } : null;
  });
  startFold(() => {
    const first = length() - (pages.groups?.dislike ?? 0);
    taken();
    setActive(first);
  });
  scroller.addEventListener("scroll", () => (moves.stop(), schedule()), { passive: true });
  new ResizeObserver(() => {
    measure();
    schedule();
  }).observe(scroller);
  grid.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("[data-index]");
    if (row) setActive(Number(row.dataset.index), { focus: false });
  });
  on("label", ({ id, label }) => {
    pages.patch(id, { label });
    for (const row of rows.values()) if (row.song?.id === id) markRow(row);
  });
  const mark = () => rows.forEach(markRow);
  on("select", mark);
  on("playing", mark);
  on("library", () => rankAgain(null));
}

/** Show another search, order or taste from its beginning. */
export async function showList() {
  active = 0;
  foldAgain();
  moves.forget();
  grid.setAttribute("aria-busy", "true");
  scroller.scrollTop = 0;
  if (!rows.size) render();
  faded = true;
  for (const row of rows.values()) row.classList.add("stale");
  await pages.reset();
}

/** Fetch the ranking again where it stands, and show which songs moved. @param {string | null} labelled */
export async function rankAgain(labelled) {
  const held = rows.get(active);
  const id = held?.song?.id;
  const focused = Boolean(held?.contains(document.activeElement));
  moves.before(visible(), labelled);
  await pages.reload();
  // The keyboard stays in its place, whichever song comes there: a list that jumps is lost.
  const row = rows.get(active);
  if (!focused || !row || row.song?.id === id) return undefined;
  row.blur(); // so that a screen reader says which song stands there now
  return row.focus({ preventScroll: true });
}

function taken() {
  grid.setAttribute("aria-busy", "false");
  grid.setAttribute("aria-rowcount", String(Math.max(0, length()) + 1));
  active = Math.max(0, Math.min(active, length() - 1));
  showFold(pages.groups);
  state.total = pages.total;
  emit("list");
  render();
  faded = false;
  measure(); // a scroll bar may have come
  moves.after(visible(), height);
}

/** Show in its row what else is known of a song by now; its place stays. */
export function changeSong(id, change) {
  pages.patch(id, change);
  for (const [index, row] of rows) {
    if (row.song?.id !== id) continue;
    const { song } = row;
    row.song = null;
    fillRow(row, index, song, act);
  }
}

/** How many rows there are: in a list of finds the unlikely ones are folded away. */
export function length() {
  return pages.matched - folded(pages.groups);
}

function measure() {
  height = 3.75 * parseFloat(getComputedStyle(document.documentElement).fontSize);
  grid.style.setProperty("--bar", `${scroller.offsetWidth - scroller.clientWidth}px`);
}

function schedule() {
  if (!frame) frame = requestAnimationFrame(render);
}

/** How many pixels of the whole list one pixel of the scroll bar stands for. */
function stretch() {
  const whole = topOf(Math.max(0, length()));
  const shown = Math.min(whole, TALLEST_PX);
  const view = scroller.clientHeight;
  return whole > TALLEST_PX ? (whole - view) / (shown - view) : 1;
}

function range(beyond) {
  const top = scroller.scrollTop * stretch();
  const n = pages.matched < 0 ? Math.ceil(scroller.clientHeight / height) : length();
  const above = headingsHeight(headings, Infinity, height); // a row or two too many do no harm
  const first = Math.max(0, Math.floor((top - above) / height) - beyond);
  const last = Math.min(n - 1, Math.ceil((top + scroller.clientHeight) / height) - 1 + beyond);
  return { first, last };
}

/** Rows in view with their songs. */
function visible() {
  const { first, last } = range(0);
  return [...rows]
    .filter(([index]) => index >= first && index <= last)
    .map(([index, row]) => ({ index, row }));
}

function render() {
  cancelAnimationFrame(frame);
  frame = 0;
  if (pages.matched < 0 && rows.size) return; // what was there stays, faded, until the answer
  const n = pages.matched < 0 ? Math.ceil(scroller.clientHeight / height) : length();
  headings = headingsOf(pages.groups, state.query);
  spacer.style.height = `${Math.min(topOf(n), TALLEST_PX)}px`;
  const { first, last } = range(BEYOND);
  for (const [index, row] of rows) {
    // The row that has the focus stays, or the keyboard would fall out of the list.
    if ((index < first || index > last) && (index !== active || index >= n)) {
      rows.delete(index);
      row.remove();
      spare.push(row);
    }
  }
  const offset = scroller.scrollTop * (stretch() - 1);
  for (let index = first; index <= last; index += 1) place(index, offset);
  if (n > 0 && (active < first || active > last)) place(active, offset);
  if (state.taste !== null && pages.matched !== 0 && last >= first) want(first, last);
}

/** Ask for rows in view and, where the list scrolls slowly, for some that come next. */
function want(first, last) {
  const slow = Math.abs(first - wantedFirst) < 2 * (last - first + 1);
  wantedFirst = first;
  if (slow) pages.want(Math.max(0, first - AHEAD), Math.min(last + AHEAD, Math.max(last, length() - 1)));
  wantSoon(first, last);
}

function place(index, offset) {
  let row = rows.get(index);
  if (!row) {
    row = spare.pop() ?? makeRow(act);
    rows.set(index, row);
    spacer.insertBefore(row, rows.get(following(index)) ?? null);
  }
  const song = pages.at(index);
  const y = topOf(index) - offset;
  // At 60 frames a second what has not changed is not touched.
  if (row.y !== y) row.style.transform = `translateY(${(row.y = y)}px)`;
  if (row.tabIndex !== (index === active ? 0 : -1)) row.tabIndex = index === active ? 0 : -1;
  headRow(row, headings.get(index) ?? "");
  if (row.at === index && row.song === song && song && !faded) return;
  row.at = index;
  row.classList.remove("stale");
  fillRow(row, index, song, act);
}

/** Where a row begins, from the list's top. */
function topOf(index) {
  return index * height + headingsHeight(headings, index, height);
}

/** The next index that is in the document: screen readers read rows in its order. */
function following(index) {
  let next = Infinity;
  for (const other of rows.keys()) if (other > index && other < next) next = other;
  return next;
}

/** @returns {{index: number, song: any}} the row that keys act on */
export function activeRow() {
  return { index: active, song: pages.at(active) };
}

/** @param {number} index @param {{focus?: boolean, scroll?: boolean}} how */
export function setActive(index, { focus = true, scroll = focus } = {}) {
  const n = Math.max(0, length());
  if (!n) return;
  const former = rows.get(active);
  active = Math.max(0, Math.min(n - 1, index));
  if (former && former !== rows.get(active)) former.tabIndex = -1;
  if (scroll) reveal(active);
  const row = rows.get(active);
  if (!row) return;
  row.tabIndex = 0;
  if (focus) row.focus({ preventScroll: true });
}

/** Scroll by as little as shows a row. */
function reveal(index) {
  const by = stretch();
  const top = scroller.scrollTop * by;
  const view = scroller.clientHeight;
  let to = top;
  const start = topOf(index);
  if (start < top) to = headings.has(index) ? start - height / 2 : start;
  else if (start + height > top + view) to = start + height - view;
  if (to !== top) scroller.scrollTop = to / by;
  render();
}

/** How many rows a page has, for the keyboard. */
export function rowsInView() {
  return Math.max(1, Math.floor(scroller.clientHeight / height) - 1);
}

/** Put the keyboard into the list. */
export function focusList() {
  setActive(active, { focus: true });
}
