// What comes next in the queue of finds, in the panel of what plays.

import { bdi, h } from "../base/dom.js";
import { skipTo, upcoming } from "../player/sources.js";
import { titleOf } from "../base/words.js";

const SHOWN = 5;

/** @returns {any} the part of the panel; null where no queue plays */
export function queuePart() {
  const songs = upcoming();
  if (!songs.length) return null;
  const items = songs
    .slice(0, SHOWN)
    .map((song) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "names link", onclick: () => skipTo(song) },
          bdi(titleOf(song), { class: "title" }),
          song.artist ? bdi(song.artist, { class: "artist" }) : null,
        ),
      ),
    );
  const more =
    songs.length > SHOWN ? h("p", { class: "small muted" }, `and ${songs.length - SHOWN} more`) : null;
  return h(
    "section",
    { class: "part", id: "queue" },
    h("h3", {}, "Up next"),
    h("ul", { class: "next-songs" }, ...items),
    more,
  );
}
