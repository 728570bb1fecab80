// Pointers on the map: one moves it, draws the lasso or presses a song, two pinch it, the wheel zooms.

const STILL_PX = 4; // a press that moves less is no drag
const ZOOM = 1.0015; // for each pixel that the wheel turns

/**
 * @typedef {object} MapActs what pointers do, in pixels of the canvas
 * @property {(x: number, y: number) => void} hover
 * @property {(x: number, y: number) => void} press
 * @property {(dx: number, dy: number) => void} pan
 * @property {(x: number, y: number, by: number) => void} zoom
 * @property {() => void} draw
 * @property {() => boolean} isDrawing whether one pointer draws the lasso
 * @property {(line: [number, number][]) => void} outline
 * @property {() => void} close the lasso is drawn
 */

/** @param {any} canvas @param {MapActs} act */
export function startPointers(canvas, act) {
  /** Where those that are down are. @type {Map<number, [number, number]>} */
  const held = new Map();
  let moved = false;
  /** @type {[number, number][]} */
  let line = [];
  const at = (event) => /** @type {[number, number]} */ ([event.offsetX, event.offsetY]);

  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, at(event));
    canvas.setPointerCapture(event.pointerId);
    moved = held.size > 1;
    line = act.isDrawing() && !moved ? [at(event)] : [];
    act.outline(line);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    const [x, y] = at(event);
    if (!before) return act.hover(x, y);
    if (held.size === 2) pinch(event.pointerId, [x, y]);
    else if (line.length) line.push([x, y]);
    else if (moved || Math.hypot(x - before[0], y - before[1]) > STILL_PX) {
      moved = true;
      act.pan(x - before[0], y - before[1]);
    } else return undefined; // from where it was pressed it counts
    held.set(event.pointerId, [x, y]);
    return act.draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held.delete(event.pointerId) && !held.size) {
      if (line.length) act.close();
      else if (!moved) act.press(...at(event));
    }
    line = [];
  });
  canvas.addEventListener("pointercancel", (event) => {
    held.delete(event.pointerId);
    line = [];
    act.outline(line);
    act.draw();
  });
  canvas.addEventListener("pointerleave", () => act.hover(-99, -99));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    act.zoom(...at(event), ZOOM ** -event.deltaY);
  });

  /** What lies between two fingers follows them. */
  function pinch(id, now) {
    const before = held.get(id);
    const [other] = [...held].filter(([one]) => one !== id).map(([, place]) => place);
    const apart = (one) => Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1]));
    const [x, y] = [(before[0] + other[0]) / 2, (before[1] + other[1]) / 2];
    act.zoom(x, y, apart(now) / apart(before));
    act.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }
}
