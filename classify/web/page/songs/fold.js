// The unlikely songs at the end of a list of finds are folded away behind a button that says how many they are.

import { byId, h } from "../base/dom.js";
import { state } from "../base/state.js";
import { songs } from "../base/words.js";

const unfold = byId("unfold");
let open = false;

/** @param {() => void} opened called when the unlikely songs shall be seen */
export function startFold(opened) {
  unfold.addEventListener("click", () => {
    open = true;
    opened();
  });
}

/** Fold them again: another list is shown. */
export function foldAgain() {
  open = false;
}

/** How many songs at the end of the list are folded away. @param {Record<string, number> | null} groups */
export function folded(groups) {
  const { sort, order, q, verdict } = state.query;
  const finds = state.view === "discover" && sort === "score" && order === "desc" && !q && !verdict;
  return finds && !open ? (groups?.dislike ?? 0) : 0;
}

/** @param {Record<string, number> | null} groups */
export function showFold(groups) {
  const n = folded(groups);
  unfold.hidden = !n;
  if (!n) return;
  unfold.replaceChildren(h("span", {}, `Unlikely: ${songs(n)}`), h("span", { class: "link-like" }, "Show"));
}
