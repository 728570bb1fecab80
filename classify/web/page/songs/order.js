// After a label the list keeps its order, so that nobody loses their place: a button offers the new one, and a
// pause brings it.

import { byId } from "../base/dom.js";
import { pages, rankAgain } from "./list.js";
import { emit, on, state } from "../base/state.js";
import { count, movedCount } from "../base/words.js";

const button = byId("apply-order");
const PAUSE_MS = 30_000; // without a key or a press
let waits = false;
let moved = 0;
let revision = -1; // of the order that is shown meanwhile
/** @type {string | null} */
let last = null;
let timer = 0;

export function startOrder() {
  button.addEventListener("click", () => applyOrder());
  on("labelled", ({ song, answer, begun, more }) => {
    moved += movedCount(answer);
    last = song.id;
    if (more) return undefined;
    if (!begun) return applyOrder(); // nothing was ranked before
    return hold();
  });
  // A search, a scan, a page that had to be fetched: the order is the new one already.
  on("list", () => waits && pages.revision !== revision && forget());
  on("taste", forget);
  on("view", forget);
  for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, () => waits && rest(), true);
}

function hold() {
  if (!waits) state.heldOrder = revision = pages.revision;
  waits = true;
  button.textContent = moved ? `Apply new order (${count(moved)} moved)` : "Apply new order";
  button.hidden = false;
  rest();
}

function rest() {
  clearTimeout(timer);
  timer = setTimeout(() => waits && applyOrder(), PAUSE_MS);
}

function forget() {
  clearTimeout(timer);
  waits = false;
  state.heldOrder = null;
  moved = 0;
  button.hidden = true;
}

/** Show the order that the last labels brought. */
export async function applyOrder() {
  const focused = document.activeElement === button;
  forget();
  await rankAgain(last);
  if (focused) byId("grid").querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  emit("applied");
}
