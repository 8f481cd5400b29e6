// Where the time of an answer went, as a bar of stages.

import { element } from "./elements.js";

const STAGES = [
  ["decode", "decode"],
  ["pnet", "PNet"],
  ["rnet", "RNet"],
  ["onet", "ONet"],
];

/**
 * Milliseconds by stage, none of them twice: stages of the server, the rest of its time, and what is left of the round trip.
 * stages: by their names in Server-Timing.
 */
export function shares(stages, milliseconds) {
  const known = STAGES.filter(([name]) => stages[name] > 0).map(([name, label]) => ({ name, label, time: stages[name] }));
  const sum = known.reduce((total, { time }) => total + time, 0);
  const server = Math.max(stages.server ?? 0, sum);
  const all = [...known, { name: "other", label: "rest of the server", time: server - sum },
    { name: "way", label: "way there and back", time: Math.max(0, milliseconds - server) }];
  return all.filter(({ time }) => time >= 0.05);
}

const short = (time) => (time < 9.95 ? time.toFixed(1) : time.toFixed(0));

/** The bar and its legend. */
export function bar(stages, milliseconds) {
  const parts = shares(stages, milliseconds);
  const stripes = element("div", { class: "stripes", "aria-hidden": "true" });
  const legend = element("ul", { class: "legend", "aria-label": "Time by stage, in milliseconds" });
  for (const { name, label, time } of parts) {
    const stripe = element("span", { class: `stage-${name}` });
    stripe.style.flexGrow = time;
    stripes.append(stripe);
    legend.append(element("li", {}, element("i", { class: `stage-${name}`, "aria-hidden": "true" }), `${label} `,
      element("b", {}, short(time))));
  }
  return element("div", { class: "timing" }, stripes, legend);
}
