// More like a song, or like it but with more or less of a tag: "like this, but calmer".

import { h } from "../base/dom.js";
import { listAlike } from "../songs/filters.js";
import { tagWords } from "../base/words.js";
import { go } from "../views/views.js";

const MOST = 2; // tags

/** @param {any} song @returns {any} */
export function alikePart(song) {
  const show = (move, words) => {
    go("library");
    listAlike(song, move, words);
  };
  const chip = (words, move) =>
    h("button", { type: "button", class: "chip", onclick: () => show(move, words) }, words);
  const tags = (song.tags ?? [])
    .filter(({ tag }) => tagWords(song).includes(tag.toLowerCase()))
    .slice(0, MOST);
  return h(
    "section",
    { class: "part", "aria-label": "More like this" },
    h(
      "div",
      { class: "chips" },
      chip("All songs like this", ""),
      ...tags.flatMap(({ tag }) => [
        chip(`more ${tag.toLowerCase()}`, `${tag}:+1`),
        chip(`less ${tag.toLowerCase()}`, `${tag}:-1`),
      ]),
    ),
  );
}
