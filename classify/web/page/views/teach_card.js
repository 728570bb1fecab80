// What Teach asks about, drawn: one song, or two of which one is chosen.

import { bdi, h, icon, labelButtons, setIcon } from "../base/dom.js";
import { state } from "../base/state.js";
import { clean, sentence, titleOf } from "../base/words.js";
import { cover } from "../song/cover.js";
import { labelOf } from "../songs/labelling.js";
import { tagMarks } from "../songs/row.js";

/** @typedef {{song: any, reason: string, why: string}} Card */

/**
 * One song with its three answers.
 * @param {Card} card
 * @param {{press: (song: any) => void, label: (song: any, label: string) => void, skip: () => void}} act
 */
export function drawOne({ song, reason, why }, act) {
  const [like, dislike] = labelButtons(
    { label: labelOf(song) },
    titleOf(song),
    (label) => act.label(song, label),
    { words: true },
  );
  return [
    playButton(song, act.press),
    words(song, h("p", { class: "small muted", dir: "auto" }, whyAsked(reason, why))),
    h("div", { class: "teach-acts" }, dislike, skipButton(act.skip), like),
  ];
}

/**
 * Two songs side by side, each with a button that chooses it; below what is neither.
 * @param {Card[]} cards
 * @param {{press: (song: any) => void, choose: (at: number) => void, neither: () => void,
 *   skip: () => void}} act
 */
export function drawTwo(cards, act) {
  const both = cards.map(({ song }, at) =>
    h(
      "div",
      { class: "duel-song", role: "group", "aria-label": titleOf(song), dataset: { id: song.id } },
      playButton(song, act.press),
      words(song),
      answer("like", "This one", () => act.choose(at), `This one: ${titleOf(song)}`),
    ),
  );
  return [
    h("div", { class: "duel-songs" }, ...both),
    h(
      "p",
      { class: "small muted" },
      "Choose one that you like; nothing is learnt of the other. Neither: both are not for you.",
    ),
    h("div", { class: "teach-acts two" }, answer("dislike", "Neither", act.neither), skipButton(act.skip)),
  ];
}

/** Show of each song in a card whether it sounds. @param {any} card @param {Card[]} cards */
export function markPlaying(card, cards) {
  card.querySelectorAll(".teach-play").forEach((button, at) => {
    const song = cards[at]?.song;
    if (!song) return;
    const sounding = state.playing?.id === song.id && !state.paused;
    button.setAttribute("aria-label", `${sounding ? "Pause" : "Play"} ${titleOf(song)}`);
    setIcon(button, sounding ? "pause" : "play");
  });
}

function playButton(song, press) {
  return h(
    "button",
    {
      type: "button",
      class: "teach-play",
      "aria-label": `Play ${titleOf(song)}`,
      onclick: () => press(song),
    },
    ...cover(song, "large"),
    icon("play"),
  );
}

function words(song, ...more) {
  return h(
    "div",
    { class: "teach-words" },
    h("h3", {}, bdi(titleOf(song))),
    h("p", { class: "muted" }, bdi(song.artist ?? song.album ?? "")),
    h("p", { class: "teach-tags" }, ...tagMarks(song)),
    ...more,
  );
}

/** Why this song is asked about. */
function whyAsked(reason, why) {
  const known = {
    start: "Any song that you know your mind about helps to begin.",
    top: "Seven Songs thinks you would like it a lot. Is that so?",
    "coin flip": "Seven Songs can't tell whether you would like it.",
    unknown: "It is unlike anything that you have labelled.",
  };
  return known[reason] ?? sentence(clean(why));
}

/** A button that answers for one song or for both; pressed while the label is learnt. */
function answer(label, said, press, name = null) {
  return h(
    "button",
    {
      type: "button",
      class: `button ${label}`,
      "aria-label": name,
      "aria-pressed": "false",
      dataset: { label },
      onclick: press,
    },
    icon(label),
    h("span", { class: "words" }, said),
  );
}

function skipButton(skip) {
  return h("button", { type: "button", class: "button", onclick: skip }, icon("skip"), "Skip");
}
