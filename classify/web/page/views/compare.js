// Two tastes side by side: what both would like, or only one of them; for two people in a car.

import { askJson } from "../base/api.js";
import { sayError } from "../base/announce.js";
import { bdi, h, icon } from "../base/dom.js";
import { cover } from "../song/cover.js";
import { hear, playFrom } from "../player/player.js";
import { state } from "../base/state.js";
import { count, titleOf } from "../base/words.js";

const MOST = 50;
let other = "";
let group = "both";

/** @returns {any} null where there are no two tastes to compare */
export function comparePart() {
  const trained = state.tastes.filter((one) => one.trained).map((one) => one.name);
  if (!state.taste || !trained.includes(state.taste) || trained.length < 2) return null;
  const others = trained.filter((one) => one !== state.taste);
  if (!others.includes(other)) [other] = others;
  const found = h("div", { class: "compared" });
  const pick = h(
    "select",
    { class: "select", "aria-label": "Taste to compare with" },
    ...others.map((one) => h("option", { value: one, selected: one === other }, one)),
  );
  pick.addEventListener("change", () => ((other = pick.value), fill(found)));
  fill(found);
  return h(
    "section",
    { class: "compare", "aria-label": "Compare two tastes" },
    h("div", { class: "view-top left" }, h("h3", {}, bdi(state.taste), " and "), pick),
    found,
  );
}

async function fill(found) {
  const names = [state.taste, other];
  try {
    const params = { a: names[0], b: names[1], group, limit: MOST };
    const { counts, songs } = await askJson("/compare", { params });
    if (state.taste !== names[0] || other !== names[1]) return;
    const tabs = Object.keys(counts)
      .filter((one) => one !== "neither")
      .map((one) => tab(one, counts[one], names, found));
    found.replaceChildren(
      h("div", { class: "chips", role: "group", "aria-label": "Songs of" }, ...tabs),
      ...rows(songs),
    );
  } catch (error) {
    sayError(error);
  }
}

function tab(one, n, [a, b], found) {
  const words = { both: "Both", only_a: `Only ${a}`, only_b: `Only ${b}` }[one] ?? one;
  const press = () => ((group = one), fill(found));
  const pressed = String(one === group);
  return h(
    "button",
    { type: "button", class: "chip", "aria-pressed": pressed, onclick: press },
    `${words}: ${count(n)}`,
  );
}

function rows(songs) {
  if (!songs.length) return [h("p", { class: "muted" }, "No song.")];
  const play = (i) => {
    const list = songs.map((one) => one.song);
    let at = i;
    playFrom({ name: "compare", next: (by) => list[(at += by)] ?? null, peek: () => list[at + 1] ?? null });
    hear(list[i]);
  };
  const items = songs.map(({ song }, i) =>
    h(
      "li",
      { class: "pick" },
      h(
        "button",
        {
          type: "button",
          class: "icon pick-play",
          "aria-label": `Play ${titleOf(song)}`,
          onclick: () => play(i),
        },
        ...cover(song),
        icon("play"),
      ),
      h(
        "span",
        { class: "names" },
        bdi(titleOf(song), { class: "title" }),
        bdi(song.artist ?? "", { class: "artist" }),
      ),
    ),
  );
  return [h("ul", { class: "cards" }, ...items)];
}
