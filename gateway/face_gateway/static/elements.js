// Makes and finds elements. Text is always text, never markup: names of files and people come from outside.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** A new element of HTML. attributes: true is one without a value; "onclick" and the like are listeners. */
export const element = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);

/** A new element of SVG. */
export const drawn = (tag, attributes = {}) => filled(document.createElementNS(SVG, tag), attributes, []);

/** Shows a sentence in an element, or hides it where there is none. */
export function say(node, sentence) {
  node.textContent = sentence || "";
  node.hidden = !sentence;
}

/**
 * Lets the arrow keys walk through the options of a list box, which is one stop of the tabulator; Enter and Space choose.
 * chosen: called with the place of the option that the keys or a click chose.
 */
export function walkable(list, chosen) {
  const options = () => [...list.querySelectorAll('[role="option"]')];
  list.addEventListener("keydown", (event) => {
    const all = options();
    const last = all.length - 1;
    const here = all.indexOf(document.activeElement);
    const steps = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: last, Enter: here, " ": here };
    if (here < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(last, steps[event.key]));
    chosen(next);
    options()[next]?.focus();
  });
  list.addEventListener("click", (event) => {
    const place = options().indexOf(event.target.closest('[role="option"]'));
    if (place < 0) return;
    chosen(place);
    options()[place]?.focus();
  });
}

/** "1 face", "2 faces". */
export const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
