// Paints the dots of the map, pixel by pixel: 100,000 of them as paths take 0.4 s, so less than 17 ms.

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

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
 * Paint all dots, and nothing else: what the canvas had is gone. The best matches lie on top.
 * @param {CanvasRenderingContext2D} pen
 * @param {any} points of `parseMap`
 * @param {{size: number, dx: number, dy: number, left: number, top: number}} at in pixels of the page
 * @param {string[]} colours one for each step of the match, and for none: #rgb or #rrggbb
 * @param {number} dot half its width, in pixels of the page
 */
export function drawDots(pen, points, { size, dx, dy, left, top }, colours, dot) {
  const { width, height } = pen.canvas;
  const ratio = pen.getTransform().a;
  const image = pen.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const side = Math.max(1, Math.round(2 * dot * ratio));
  const widths = rowsOfDot(side);
  for (const [step, colour] of colours.entries()) {
    const value = pixelOf(colour);
    for (let i = 0; i < points.n; i += 1) {
      if (points.steps[i] !== step) continue;
      const x = Math.round(ratio * (dx + (points.x[i] - left) * size) - side / 2);
      const y = Math.round(ratio * (dy + (points.y[i] - top) * size) - side / 2);
      const last = Math.min(height, y + side);
      for (let row = Math.max(0, y); row < last; row += 1) {
        const inset = widths[row - y];
        const [from, to] = [Math.max(0, x + inset), Math.min(width, x + side - inset)];
        for (let at = row * width + from; at < row * width + to; at += 1) pixels[at] = value;
      }
    }
  }
  pen.putImageData(image, 0, 0);
}

/** How many pixels are left free at either end of each row of a dot, so that it is round. */
function rowsOfDot(side) {
  const middle = side / 2;
  return Array.from({ length: side }, (_, row) =>
    Math.round(middle - Math.sqrt(middle ** 2 - (row + 0.5 - middle) ** 2)),
  );
}

/** A colour as one number, in the order in which a picture has its bytes. */
function pixelOf(colour) {
  const digits = /^#(?:\w{3}|\w{6})$/.test(colour) ? colour.slice(1) : "808080";
  const each = digits.length === 3 ? [...digits].map((one) => one + one) : digits.match(/../g);
  const [red, green, blue] = each.map((one) => parseInt(one, 16));
  const bytes = LITTLE_ENDIAN ? [255, blue, green, red] : [red, green, blue, 255];
  return bytes.reduce((all, one) => (all << 8) | one, 0) >>> 0;
}
