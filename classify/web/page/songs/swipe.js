// Swiping on a phone: a song that is moved to the right is liked, one that is moved to the left is not for the
// listener. Buttons do the same, for who does not swipe.

import { labelOf, setLabel } from "./labelling.js";

const FAR_PX = 72;
const BEGIN_PX = 12;

/**
 * @param {any} area whose songs can be swiped
 * @param {(target: Element) => {node: any, song: any} | null} find the song under a finger, and what moves
 */
export function startSwipe(area, find) {
  /** @type {{x: number, y: number, node: any, song: any, moves: boolean} | null} */
  let held = null;
  const end = (event) => {
    if (!held) return;
    const { node, song, x, moves } = held;
    held = null;
    node.style.translate = "";
    delete node.dataset.swipe;
    const by = event.type === "pointerup" ? event.clientX - x : 0;
    if (!moves || Math.abs(by) < FAR_PX) return;
    node.addEventListener("click", stop, { capture: true, once: true });
    setTimeout(() => node.removeEventListener("click", stop, true), 50);
    const label = by > 0 ? "like" : "dislike";
    if (labelOf(song) !== label) setLabel(song, label);
  };
  area.addEventListener("pointerdown", (event) => {
    const found = event.pointerType === "mouse" ? null : find(event.target);
    held = found?.song ? { x: event.clientX, y: event.clientY, ...found, moves: false } : null;
  });
  area.addEventListener("pointermove", (event) => {
    if (!held) return;
    const by = event.clientX - held.x;
    if (!held.moves && Math.abs(by) < BEGIN_PX) return;
    held.moves = true;
    held.node.style.translate = `${by}px 0`;
    if (Math.abs(by) < FAR_PX) delete held.node.dataset.swipe;
    else held.node.dataset.swipe = by > 0 ? "like" : "dislike";
  });
  for (const kind of ["pointerup", "pointercancel"]) area.addEventListener(kind, end);
}

/** The click that follows a swipe plays nothing. */
function stop(event) {
  event.stopPropagation();
  event.preventDefault();
}
