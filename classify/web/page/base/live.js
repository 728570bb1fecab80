// What changes elsewhere: one stream of events for labels, tastes, the library and its scan, so that this page,
// another one and the command agree within a second.

import { ask, events } from "./api.js";
import { emit, on, state } from "./state.js";

const AGAIN_MS = 2000;
let running = false;

/** @type {Record<string, (data: any) => void>} */
const HEARD = {
  labels: (data) => emit("elsewhere", data),
  taste: (data) => emit("tastes-changed", data),
  library: (data) => emit("library-changed", data),
  scan: (data) => emit("scan", data),
  folders: (data) => emit("folders", data),
};

/** Listen for as long as the page is open; where the line breaks, ask again. */
export function startLive() {
  on("ready", listen);
}

async function listen() {
  if (running) return;
  running = true;
  for (;;) {
    try {
      const answer = await ask("/events", { headers: { Accept: "text/event-stream" } });
      for await (const { event, data } of events(answer)) HEARD[event]?.(data);
    } catch (error) {
      if (error.status === 404 || error.status === 401) break; // none here, or not for us
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (!state.health) break;
  }
  running = false;
}
