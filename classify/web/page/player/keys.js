// The keyboard: moving in the list, playing, labelling, searching. Single keys can be switched off (WCAG
// 2.1.4); what belongs to a focused control (Enter on a button, arrows in a slider) stays with it.

import { labelOf, setLabel, undo } from "../songs/labelling.js";
import { byId, h, settings } from "../base/dom.js";
import { focusSearch } from "../songs/filters.js";
import { activeRow, focusList, length, rowsInView, setActive } from "../songs/list.js";
import { step, toggle } from "./player.js";
import { fromList } from "./sources.js";
import { duelKeys, skipCard, teachSong } from "../views/teach.js";
import { showsList } from "../views/views.js";
import { select, state } from "../base/state.js";

const help = byId("help");
const allowed = byId("keys-on");
const grid = byId("grid");

/** @type {[string[], string][]} */
const HELP = [
  [["↑", "↓", "j", "k"], "move in the list"],
  [["Home", "End", "Page Up", "Page Down"], "move far"],
  [["Enter", "Space"], "play or pause"],
  [["l"], "like"],
  [["d"], "not for me; of two songs in Teach, neither"],
  [["←", "→", "1", "2"], "choose one of two songs in Teach"],
  [["s"], "skip, in Teach and in a queue"],
  [["u"], "clear the label"],
  [["z"], "undo the last labels, step by step"],
  [["n", "p"], "next and previous song"],
  [["i"], "show the song: why you may like it"],
  [["/"], "search"],
  [["Escape"], "leave search, close a sheet"],
  [["?"], "this help"],
];

/** @param {(song: any) => void} showSong opens the details of a song */
export function startKeys(showSong) {
  byId("keys").append(
    ...HELP.map(([keys, words]) =>
      h("div", {}, h("dt", {}, ...keys.map((key) => h("kbd", {}, key))), h("dd", {}, words)),
    ),
  );
  allowed.checked = settings.get("keys") !== "off";
  allowed.addEventListener("change", () => settings.set("keys", allowed.checked ? "on" : "off"));
  byId("search").addEventListener("keydown", (event) => {
    if (
      event.key === "ArrowDown" ||
      event.key === "Enter" ||
      (event.key === "Escape" && !byId("search").value)
    ) {
      event.preventDefault();
      focusList();
    }
  });
  grid.addEventListener("keydown", inGrid);
  addEventListener("keydown", (event) => anywhere(event, showSong));
}

function inGrid(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { index, song } = activeRow();
  const button = event.target.closest("button");
  const page = rowsInView();
  const to = {
    ArrowDown: index + 1,
    ArrowUp: index - 1,
    PageDown: index + page,
    PageUp: index - page,
    Home: 0,
    End: length() - 1,
  };
  if (event.key in to) move(to[event.key]);
  else if ((event.key === "Enter" || event.key === " ") && !button) {
    if (song) fromList(toggle)(song, index);
  } else if (event.key === "ArrowRight" || event.key === "ArrowLeft")
    across(event, event.key === "ArrowRight" ? 1 : -1);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Move to another row, and show its song. */
function move(index) {
  setActive(index);
  const { song } = activeRow();
  if (song && state.paused) select(song); // what sounds goes on: there is one song, and it is that
}

/** Go from a row to its buttons and back. */
function across(event, by) {
  const row = event.target.closest('[role="row"]');
  if (!row) return;
  const stops = [row, ...row.querySelectorAll("button")];
  const at = stops.indexOf(event.target.closest("button") ?? row);
  stops[Math.max(0, Math.min(stops.length - 1, at + by))]?.focus();
}

function anywhere(event, showSong) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !allowed.checked) return;
  const { target } = event;
  if (!(target instanceof Element) || typing(target) || document.querySelector("dialog[open]")) return;
  const keys = shortcuts(target, showSong);
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function typing(target) {
  return target.matches(
    "input:not([type=range], [type=checkbox], [type=radio]), select, textarea, [contenteditable]",
  );
}

function shortcuts(target, showSong) {
  // Keys act on the row or the card that has the focus; else on the song that is looked at, or that plays.
  const held = target.closest("li[data-id], [role=row]");
  const song = teachSong() ?? (held ? held.song : (state.selected ?? state.playing));
  const free = !target.closest("button, a, summary, [role=slider], input");
  const { index } = activeRow();
  const begun = grid.contains(target) || state.selected;
  const label = (wanted) => {
    if (!song) return;
    if (labelOf(song) !== wanted && grid.contains(target)) setActive(index + 1); // on to the next row
    setLabel(song, wanted);
  };
  return {
    j: () => showsList() && move(begun ? index + 1 : index),
    k: () => showsList() && move(index - 1),
    l: () => label("like"),
    d: () => label("dislike"),
    s: () => (teachSong() ? skipCard() : step(1)),
    u: () => song && setLabel(song, null),
    z: undo,
    n: () => step(1),
    p: () => step(-1),
    i: () => song && (select(song), showSong(song)),
    "/": () => showsList() && focusSearch(),
    "?": () => help.showModal(),
    ...duelKeys(),
    ...(target.closest("input, [role=slider]") ? { ArrowLeft: null, ArrowRight: null } : {}),
    ...(free ? { " ": () => toggle(state.playing ?? song ?? undefined) } : {}),
  };
}
