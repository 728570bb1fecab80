// Labels that were given elsewhere, by the command or on another page: the list has them within a second.

import { isOurs } from "./labelling.js";
import { pages, rankAgain } from "./list.js";
import { currentTaste, emit, on, state } from "../base/state.js";
import { askJson } from "../base/api.js";

const AWAY_MS = 10000;

export function startElsewhere() {
  on("elsewhere", async (changed) => {
    if (changed.taste !== state.taste || isOurs(changed)) return;
    await figuresAgain();
    await rankAgain(null);
    emit("elsewhere-shown");
  });
  // Songs that were heard since, by a scan of the command.
  on("library-changed", ({ n_songs: n }) => state.total >= 0 && n !== state.total && emit("library"));
  // A page that slept may have missed events.
  let hiddenAt = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = performance.now();
    else if (hiddenAt && performance.now() - hiddenAt > AWAY_MS && pages.revision >= 0) rankAgain(null);
  });
}

async function figuresAgain() {
  const taste = state.taste ?? "";
  const found = await askJson(`/tastes/${encodeURIComponent(taste)}`).catch(() => currentTaste());
  emit("figures", found);
}
