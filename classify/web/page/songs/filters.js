// Search, order and filters over the list, and what the list says when it has nothing to show. Discover and
// the library have a query each: the finds stay finds, whatever was filtered in the library.

import { byId, debounce, h, setIcon } from "../base/dom.js";
import { length, pages, showList } from "./list.js";
import { emit, on, state } from "../base/state.js";
import { count, inline, songs, titleOf } from "../base/words.js";
import { sayError } from "../base/announce.js";
import { go, showsList } from "../views/views.js";

const search = byId("search");
const sort = byId("sort");
const order = byId("order");
const verdict = byId("filter-verdict");
const label = byId("filter-label");
const shown = byId("list-state");
const said = byId("count");
const DESCENDING = new Set(["score", "moved"]); // which way round people look at them first
const FINDS = { sort: "score", order: /** @type {const} */ ("desc"), label: "none", verdict: "" };
let way = /** @type {"asc" | "desc"} */ ("desc"); // of the library
/** Songs like which ones the library lists. @type {{like: string, move: string} | null} */
let alike = null;
const alikeLine = byId("alike");

export function startFilters() {
  search.addEventListener("input", debounce(take, 180));
  sort.addEventListener("change", () => {
    way = DESCENDING.has(sort.value) ? "desc" : "asc";
    take();
  });
  order.addEventListener("click", () => {
    way = way === "asc" ? "desc" : "asc";
    take();
  });
  for (const filter of [verdict, label]) filter.addEventListener("change", take);
  on("list", tell);
  on("list-failed", failed);
  on("view", take);
  on("tag", searchTag);
  state.query = wanted(); // an address may name the library
  showOrder();
}

/** Put the keyboard into the search field. */
export function focusSearch() {
  search.focus();
  search.select();
}

/** Show in the library what has a label, or a verdict. @param {{label?: string, verdict?: string, q?: string}} given */
export function filterLibrary(given) {
  alike = null;
  alikeLine.hidden = true;
  label.value = given.label ?? "";
  verdict.value = given.verdict ?? "";
  search.value = given.q ?? "";
  take();
}

/** List songs that sound so: of the list that is shown, else of the library. */
function searchTag(tag) {
  if (!showsList()) go("library");
  search.value = tag;
  take();
  search.focus(); // what narrows the list is there to be changed
}

/** List in the library songs like one, with more or less of a tag. */
export function listAlike(song, move, words) {
  alike = { like: song.id, move };
  search.value = verdict.value = label.value = "";
  const close = h("button", { type: "button", class: "chip", onclick: endAlike }, "Show all songs");
  const how = move ? `Like ${inline(titleOf(song))}, but ${words}` : `Like ${inline(titleOf(song))}`;
  alikeLine.replaceChildren(h("span", {}, how), close);
  alikeLine.hidden = false;
  take();
}

function endAlike() {
  alike = null;
  alikeLine.hidden = true;
  take();
  focusSearch();
}

/** What the view that is shown lists. */
function wanted() {
  const q = search.value.trim();
  const all = { sort: sort.value, order: way, label: label.value, verdict: verdict.value };
  return { q, ...(state.view === "library" ? { ...all, ...alike } : FINDS) };
}

function take() {
  const query = wanted();
  if (JSON.stringify(query) === JSON.stringify(state.query) && pages.revision >= 0) return;
  state.query = query;
  showOrder();
  showList();
}

function showOrder() {
  const down = way === "desc";
  setIcon(order, down ? "down" : "up");
  order.title = down ? "Highest first" : "Lowest first";
  order.setAttribute("aria-description", order.title);
}

function tell() {
  const { matched, total } = pages;
  const words = isPlain() ? `${songs(matched)} to discover, best match first` : ofAll(matched, total);
  if (said.textContent !== words) said.textContent = words; // a live region says it again otherwise
  if (length() > 0) return hide();
  if (matched > 0) return show("No find yet", "Nothing is likely or unsure: teach a few more songs.", null);
  if (state.query.q && total > 0) {
    const button = h("button", { type: "button", class: "button", onclick: clear }, "Clear the search");
    return show(`No song matches “${inline(state.query.q)}”`, hint(), button);
  }
  if (total > 0) return nothingLeft();
  const served = state.health?.folders?.length;
  const how = served
    ? "“Look for new songs” has your music heard, song by song."
    : "Start with a folder of music: sevensongs serve ~/Music";
  return show("No music has been heard yet", how, null);
}

function hint() {
  if (state.view === "discover") return "Only songs without a label are here; the library has all.";
  return label.value || verdict.value ? "Filters are set, too." : "Try fewer letters.";
}

function nothingLeft() {
  if (state.view === "discover")
    return show("You have labelled every song", "New music is found when it is in your folders.", null);
  const button = h("button", { type: "button", class: "button", onclick: clear }, "Clear search and filters");
  return show("No song matches", "Try another filter.", button);
}

function ofAll(matched, total) {
  return matched === total ? songs(total) : `${count(matched)} of ${songs(total)}`;
}

/** Whether songs are left out although nobody has asked for that. */
function isPlain() {
  const { q, label: wanted, verdict: only } = state.query;
  return state.view !== "library" && wanted === "none" && !q && !only && pages.matched < pages.total;
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
