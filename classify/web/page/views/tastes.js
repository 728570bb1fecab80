// Tastes as a list: whose they are, how many likes each has and how far it can be trusted; another one is used,
// made, renamed, copied, or put away, which can be undone.

import { askJson } from "../base/api.js";
import { say, sayError } from "../base/announce.js";
import { bdi, byId, h, icon, settings } from "../base/dom.js";
import { comparePart } from "./compare.js";
import { askFolder, askList } from "./likes.js";
import { currentTaste, emit, on, state } from "../base/state.js";
import { inline } from "../base/words.js";
import { trustBar } from "./teach.js";
import { evaluatePart } from "./evaluate.js";
import { go } from "./views.js";

const chosen = byId("taste");
const view = byId("tastes");
const dialog = byId("name-dialog");
const name = byId("taste-name");
const list = h("ul", { class: "taste-list", id: "taste-list" });
const fresh = h(
  "button",
  { type: "button", id: "taste-new", class: "button primary" },
  icon("plus"),
  "New taste",
);
const removedList = h("p", { class: "small muted", id: "tastes-removed" });
const compare = h("div", {});
/** @type {(name: string) => Promise<void>} what the dialog's name is for */
let named = async () => {};
let removed = /** @type {string[]} */ ([]);

const path = (taste, more = "") => `/tastes/${encodeURIComponent(taste)}${more}`;

export function startTastes() {
  view.replaceChildren(
    h("div", { class: "view-top" }, h("h2", {}, "Tastes"), fresh),
    h(
      "p",
      { class: "muted" },
      "One for each mood, or for each listener. All of them look through the same music.",
    ),
    list,
    removedList,
    compare,
  );
  chosen.addEventListener("change", () => use(chosen.value));
  fresh.addEventListener("click", () =>
    askName("New taste", "It begins with no labels.", "Create", "", create),
  );
  name.addEventListener("input", () => name.setCustomValidity(""));
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    await named(name.value.trim());
  });
  on("figures", take);
  on("tastes-changed", async ({ exists, taste }) => {
    await loadTastes().catch(() => {}); // the next event, or the service's return, brings them
    if (!exists && taste === state.taste) emit("taste", taste);
  });
  on("view", () => state.view === "tastes" && show());
}

/** Read the tastes there are, and begin with the one used last. */
export async function loadTastes() {
  const found = await askJson("/tastes");
  state.tastes = found.tastes;
  removed = found.removed ?? [];
  const before = state.taste;
  const wanted = before ?? settings.get("taste");
  const known = state.tastes.some((one) => one.name === wanted);
  state.taste = known ? wanted : (state.health?.taste ?? state.tastes[0]?.name ?? "default");
  show();
  if (before && before !== state.taste) emit("taste", state.taste); // it was put away, or renamed elsewhere
}

/** Use a taste by its name. */
export function use(taste) {
  if (taste === state.taste) return;
  state.taste = taste;
  settings.set("taste", taste);
  show();
  emit("taste", taste);
}

function take(taste) {
  if (!taste) return;
  const at = state.tastes.findIndex((one) => one.name === taste.name);
  if (at < 0) state.tastes.push(taste);
  else state.tastes[at] = taste;
  show();
}

function askName(heading, words, done, value, act) {
  byId("name-heading").textContent = heading;
  byId("name-words").textContent = words;
  byId("name-done").textContent = done;
  name.value = value;
  name.setCustomValidity("");
  named = act;
  dialog.showModal();
  name.select();
}

/** Ask for a change of the tastes; what is wrong with a name is said at its field. */
async function change(where, options, after) {
  try {
    const taste = await askJson(where, options);
    await loadTastes();
    if (dialog.open) dialog.close();
    await after(taste);
  } catch (error) {
    if (!dialog.open) return sayError(error);
    name.setCustomValidity(error.message);
    name.reportValidity();
  }
  return undefined;
}

function create(wanted) {
  return change("/tastes", { method: "POST", body: { name: wanted } }, (taste) => {
    use(taste.name);
    go("discover"); // where its first steps are
  });
}

function copy(taste) {
  const act = (wanted) =>
    change("/tastes", { method: "POST", body: { name: wanted, copy_of: taste.name } }, () =>
      say("It is copied."),
    );
  askName("Copy of a taste", "It begins with the same labels.", "Copy", `${taste.name} 2`, act);
}

function paint(taste, colour) {
  return change(path(taste.name), { method: "PATCH", body: { colour } }, () => {});
}

function rename(taste) {
  const act = (wanted) =>
    change(path(taste.name), { method: "PATCH", body: { name: wanted } }, (now) => {
      if (state.taste === taste.name || state.taste === now.name) use(now.name);
      show();
    });
  askName("Rename", "Its labels stay.", "Rename", taste.name, act);
}

function remove(taste) {
  const back = () =>
    change(path(taste.name, "/restore"), { method: "POST" }, (now) => say(`${inline(now.name)} is back.`));
  return change(path(taste.name), { method: "DELETE" }, () => {
    if (state.taste === taste.name) emit("taste", state.taste); // the service's own is there again, without labels
    say(`${inline(taste.name)} and its labels are put away.`, { undo: back });
  });
}

function show() {
  const names = state.tastes.map((one) => one.name);
  if (state.taste && !names.includes(state.taste)) names.push(state.taste);
  chosen.replaceChildren(...names.map((one) => h("option", { value: one }, one)));
  chosen.value = state.taste ?? "";
  const taste = currentTaste();
  byId("trust").replaceChildren(...(taste ? trustBar(taste) : []));
  if (state.view !== "tastes") return;
  const focused = document.activeElement?.closest?.(".taste")?.dataset.name;
  list.replaceChildren(...state.tastes.map(item));
  if (focused && !list.contains(document.activeElement)) {
    list.querySelector(`[data-name="${CSS.escape(focused)}"] button`)?.focus({ preventScroll: true });
  }
  removedList.replaceChildren(...removedWords());
  compare.replaceChildren(...[comparePart()].filter(Boolean));
}

function removedWords() {
  if (!removed.length) return [];
  const back = (one) =>
    change(path(one, "/restore"), { method: "POST" }, () => say(`${inline(one)} is back.`));
  const buttons = removed
    .slice(0, 5)
    .map((one) => h("button", { type: "button", class: "chip", onclick: () => back(one) }, bdi(one)));
  return ["Put away; press to bring back: ", ...buttons];
}

function item(taste) {
  const used = taste.name === state.taste;
  const dot = h("input", {
    type: "color",
    class: "taste-dot",
    value: taste.colour ?? "#777777",
    "aria-label": `Colour of ${taste.name}`,
    title: "Colour",
    onchange: (event) => paint(taste, event.target.value),
  });
  const act = (words, press, more = {}) =>
    h("button", { type: "button", class: "button small-button", onclick: press, ...more }, words);
  return h(
    "li",
    { class: "taste", dataset: { name: taste.name }, "aria-current": used ? "true" : null },
    h(
      "div",
      { class: "taste-head" },
      dot,
      h("h3", {}, bdi(taste.name)),
      used ? h("span", { class: "small muted" }, "in use") : null,
    ),
    h("div", { class: "trust" }, ...trustBar(taste)),
    h(
      "div",
      { class: "taste-acts" },
      used ? null : act("Use", () => use(taste.name)),
      act("Rename", () => rename(taste), { "aria-label": `Rename ${taste.name}` }),
      act("Copy", () => copy(taste), { "aria-label": `Copy ${taste.name}` }),
      used ? act("Like a playlist", askList) : null,
      used ? act("Like a folder", askFolder) : null,
      act("Delete", () => remove(taste), { "aria-label": `Delete ${taste.name}` }),
    ),
    used && taste.trained ? evaluatePart(taste) : null,
  );
}
