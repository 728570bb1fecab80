// Paints the dots of the map: all of one colour are one path, which keeps 10,000 of them at 60 frames a second.

const BEYOND = 9; // pixels outside the canvas that a dot may reach in from

/** A function that gives the theme's colours as a canvas needs them: light-dark() resolved. */
export function themeColours() {
  const style = getComputedStyle(document.documentElement);
  const { theme } = document.documentElement.dataset;
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  return (name) => {
    const value = style.getPropertyValue(name).trim();
    const pair = /^light-dark\(\s*(#\w+)\s*,\s*(#\w+)\s*\)$/.exec(value);
    return pair ? pair[dark ? 2 : 1] : value;
  };
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {any} points of `parseMap`
 * @param {{size: number, dx: number, dy: number, left: number, top: number, width: number, height: number}} at
 * @param {string[]} colours one for each step of the match, and for none
 * @param {number} dot half its width, in pixels
 */
export function drawDots(pen, points, { size, dx, dy, left, top, width, height }, colours, dot) {
  const paths = colours.map(() => new Path2D());
  for (let i = 0; i < points.n; i += 1) {
    const x = dx + (points.x[i] - left) * size;
    const y = dy + (points.y[i] - top) * size;
    if (x < -BEYOND || y < -BEYOND || x > width + BEYOND || y > height + BEYOND) continue;
    paths[points.steps[i]].rect(x - dot, y - dot, 2 * dot, 2 * dot);
  }
  for (const [step, path] of paths.entries()) {
    pen.fillStyle = colours[step];
    pen.fill(path);
  }
}
