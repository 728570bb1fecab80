// Sets the chosen theme before anything is painted, so that a dark page never flashes white. A classic script
// in the head for that reason; all else is modules.
"use strict";
{
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // storage may be forbidden; the system's theme is right then
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
