// Search, order and filters over the list, and what the list says when it has nothing to show.

import { byId, debounce, h, setIcon } from "../base/dom.js";
import { pages, showList } from "./list.js";
import { currentTaste, emit, on, state } from "../base/state.js";
import { count, songs } from "../base/words.js";
import { sayError } from "../base/announce.js";

const search = byId("search");
const sort = byId("sort");
const order = byId("order");
const verdict = byId("filter-verdict");
const label = byId("filter-label");
const shown = byId("list-state");
const said = byId("count");
const DESCENDING = new Set(["score", "moved"]); // which way round people look at them first

export function startFilters() {
  search.addEventListener("input", debounce(take, 180));
  sort.addEventListener("change", () => {
    state.query.order = DESCENDING.has(sort.value) ? "desc" : "asc";
    take();
  });
  order.addEventListener("click", () => {
    state.query.order = state.query.order === "asc" ? "desc" : "asc";
    take();
  });
  for (const filter of [verdict, label]) filter.addEventListener("change", take);
  on("list", tell);
  on("list-failed", failed);
  showOrder();
}

/** Put the keyboard into the search field. */
export function focusSearch() {
  search.focus();
  search.select();
}

function take() {
  const { order: way } = state.query;
  const query = {
    q: search.value.trim(),
    sort: sort.value,
    order: way,
    label: label.value,
    verdict: verdict.value,
  };
  if (
    JSON.stringify(query) === JSON.stringify(state.query) &&
    pages.revision >= 0 &&
    way === order.dataset.way
  )
    return;
  state.query = query;
  showOrder();
  showList();
}

function showOrder() {
  const down = state.query.order === "desc";
  order.dataset.way = state.query.order;
  setIcon(order, down ? "down" : "up");
  order.title = down ? "Highest first" : "Lowest first";
  order.setAttribute("aria-description", order.title);
  byId("list-heading").textContent = currentTaste()?.trained ? "Your library, ranked" : "Your library";
}

function tell() {
  const { matched, total } = pages;
  showOrder();
  const words = matched === total ? songs(total) : `${count(matched)} of ${songs(total)}${without()}`;
  if (said.textContent !== words) said.textContent = words; // a live region says it again otherwise
  if (matched > 0) return hide();
  if (total > 0) {
    const button = h(
      "button",
      { type: "button", class: "button", onclick: clear },
      "Clear search and filters",
    );
    const hint =
      state.query.label === "none"
        ? "The songs that you have labelled are not looked at: choose All songs."
        : "Try fewer letters, or another filter.";
    return show("No song matches", hint, button);
  }
  const folders = state.health?.folders?.length;
  return show(
    "Your library is empty",
    folders
      ? "Scan the folders of your music: each song is listened to once, about a fifth of a second each."
      : "Start the service with a folder of music: sevensongs serve ~/Music",
    folders
      ? h(
          "button",
          { type: "button", class: "button primary", onclick: () => byId("scan-start").click() },
          "Scan folders now",
        )
      : null,
  );
}

/** What the list leaves out although nobody has asked for anything. */
function without() {
  const { q, label: wanted, verdict: only } = state.query;
  return wanted === "none" && !q && !only ? ", without those that you have labelled" : "";
}

function failed(error) {
  if (pages.matched > 0) return sayError(error);
  said.textContent = "";
  const button = h("button", { type: "button", class: "button", onclick: () => emit("again") }, "Try again");
  return show("The list could not be loaded", error.message, button, true);
}

function clear() {
  search.value = "";
  verdict.value = "";
  label.value = "";
  take();
  focusSearch();
}

function show(heading, words, button, bad = false) {
  const alert = bad ? "alert" : null;
  shown.replaceChildren(h("div", { role: alert }, h("h3", {}, heading), h("p", {}, words), button));
  shown.hidden = false;
  byId("grid").classList.add("empty");
}

function hide() {
  shown.hidden = true;
  byId("grid").classList.remove("empty");
}
