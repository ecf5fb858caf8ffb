// Elements made of names and text. Nothing here, or anywhere on the page, turns text into markup:
// names of models, messages and answers are strangers' words.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return node;
}

/** An HTML element; attributes that are functions listen to the event of that name. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Change a text only where it differs: a screen reader hears of every change. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Bring the children into this order, moving as few as possible and losing no focus. */
export function arrange(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set(children);
  for (const each of [...parent.children]) if (!wanted.has(each)) each.remove();
  children.forEach((each, place) => {
    if (parent.children[place] !== each) parent.insertBefore(each, parent.children[place] ?? null);
  });
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

const ICONS = {
  serving: ["M4 12.5l5 5L20 6.5"],
  starting: ["M12 3a9 9 0 1 0 9 9"],
  trouble: ["M12 4v10", "M12 19.5v.5"],
  off: ["M8 5v14", "M16 5v14"],
};

/** The mark of a state: never colour alone. */
export function badge(state, reason) {
  const paths = (ICONS[state] ?? ICONS.off).map((d) => svg("path", { d }));
  return el(
    "span",
    { class: "badge", "data-state": state },
    svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, ...paths),
    reason,
  );
}

/** Shares side by side: [class, size] each. */
export function shares(parts, attributes = {}) {
  const whole = parts.reduce((sum, [, size]) => sum + size, 0) || 1;
  const drawing = svg("svg", {
    viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true", ...attributes,
  });
  let x = 0;
  for (const [kind, size] of parts) {
    const width = (100 * size) / whole;
    if (width > 0) drawing.append(svg("rect", { class: kind, x, y: 0, width, height: 10 }));
    x += width;
  }
  return drawing;
}

/** A line of what was, oldest first; null where nothing is known. */
export function sparkline(values, attributes = {}) {
  const top = Math.max(...values.filter((each) => each !== null), 1);
  const step = 100 / Math.max(values.length - 1, 1);
  let line = "";
  values.forEach((value, place) => {
    if (value === null) return;
    const begins = place === 0 || values[place - 1] === null;
    line += `${begins ? "M" : "L"}${(place * step).toFixed(2)} ${(20 - (18 * value) / top).toFixed(2)}`;
  });
  return svg(
    "svg",
    { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true", ...attributes },
    svg("path", { d: line }),
  );
}

/** A text to copy, with a button that says what it did. */
export function copyable(text) {
  const button = el("button", { type: "button", "aria-label": `Copy: ${text.split("\n")[0]}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return el("div", { class: "copy" }, el("pre", { tabindex: "0" }, text), button);
}
