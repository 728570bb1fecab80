// Makes elements. Text from songs is hostile, so there is one way to put it into the page: as a text node.
//
// By hand: nothing here, and no call in any module, makes markup of text, as a framework's templates can
// (tests/classify/web/test_page.py).

import { clean } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element: `h("p", {class: "small", dataset: {id}, onclick}, "text", child)`.
 * Attributes that are null, undefined or false are left out; true gives an empty one.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {any} the element, to which parts may tie the song that it shows
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "dataset") Object.assign(element.dataset, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : clean(value));
  }
  append(element, children);
  return element;
}

/** Make an element of SVG. */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : clean(child));
  }
}

/** A title or an artist: isolated, so that right-to-left text does not turn what stands beside it. */
export function bdi(text, attributes = {}) {
  return h("bdi", attributes, text);
}

/** An icon of the sprite in index.html. */
export function icon(name) {
  return s("svg", { class: "i", "aria-hidden": "true" }, s("use", { href: `#i-${name}` }));
}

/** Change the icon that a button shows. */
export function setIcon(button, name) {
  const use = button.querySelector(".i use");
  if (use.getAttribute("href") !== `#i-${name}`) use.setAttribute("href", `#i-${name}`);
}

/** @returns {any} the element with an id; the page is wrong if it is missing, so that fails at once */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/** A like and a dislike button for a song. */
export function labelButtons(song, title, press, { tabindex = null, words = false } = {}) {
  return ["like", "dislike"].map((label) => {
    const word = label === "like" ? "Like" : "Not for me";
    return h(
      "button",
      {
        type: "button",
        class: words ? `button ${label}` : `icon ${label}`,
        "aria-label": words ? null : `${word}: ${title}`,
        "aria-pressed": String(song.label === label),
        title: words ? null : word,
        tabindex,
        dataset: { label },
        onclick: () => press(label),
      },
      icon(label),
      words ? h("span", { class: "words" }, word) : null,
    );
  });
}

/** Show in like and dislike buttons what a song's label is now. */
export function pressLabels(root, label) {
  for (const button of root.querySelectorAll("[data-label]")) {
    button.setAttribute("aria-pressed", String(button.dataset.label === label));
  }
}

/** @returns {boolean} whether motion is welcome */
export function mayMove() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Call a function when calls have ceased for so many milliseconds. */
export function debounce(call, ms) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...given), ms);
  };
}

/** Read or write a setting of this browser; storage may be forbidden, then nothing is kept. */
export const settings = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // kept for this visit alone
    }
  },
};
