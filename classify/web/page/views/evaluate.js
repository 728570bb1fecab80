// How a taste is known to be good: its own figure, and a test against luck, for who asks.

import { askJson } from "../base/api.js";
import { sayError } from "../base/announce.js";
import { h } from "../base/dom.js";
import { reportButton } from "./report.js";

/** What was found of a taste, until it learns again. @type {Map<string, any>} */
const known = new Map();

/** @param {any} taste @returns {any} */
export function evaluatePart(taste) {
  const key = `${taste.name}\n${taste.created_at}\n${taste.n_like}\n${taste.n_dislike}`;
  const said = h("div", { class: "evaluation small", role: "status" }, ...words(known.get(key)));
  const test = h(
    "button",
    {
      type: "button",
      class: "button small-button",
      id: "evaluate",
      onclick: () => run(taste, key, said, test),
    },
    "Could it be luck?",
  );
  return h(
    "details",
    { class: "how", id: "taste-how", open: known.has(key) },
    h("summary", {}, "How do you know?"),
    h("p", { class: "small muted" }, taste.sentence),
    h("div", { class: "chips" }, test, reportButton()),
    said,
  );
}

function words(found) {
  if (!found) return [];
  const lines = [found.chance ?? "", found.verdict, found.truth].filter(Boolean);
  return [
    found.headline ? h("p", {}, h("strong", {}, found.headline)) : null,
    ...lines.map((line) => h("p", {}, line)),
  ].filter(Boolean);
}

async function run(taste, key, said, test) {
  test.disabled = true;
  said.replaceChildren(
    h("p", { class: "working" }, "Dealing out likes at random, to see what luck can do …"),
  );
  try {
    const found = await askJson(`/tastes/${encodeURIComponent(taste.name)}/evaluation`);
    known.set(key, found);
    said.replaceChildren(...words(found));
  } catch (error) {
    said.replaceChildren();
    sayError(error);
  } finally {
    test.disabled = false;
  }
}
