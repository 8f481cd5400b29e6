// The settings: sliders and more, built of what the service says of its parameters. They act at once.

import { byId, element } from "./elements.js";

const SHOWN = {
  min_face_size: { label: "Smallest face", unit: "pixels" },
  threshold_pnet: { label: "Threshold of PNet" },
  threshold_rnet: { label: "Threshold of RNet" },
  threshold_onet: { label: "Threshold of ONet" },
};
const MORE = {
  rotations: { label: "Turned faces too" },
  max_faces: { label: "Most faces", zero: "0: all" },
  selection: { label: "Which faces" },
};

// A slider's end; the field beside it takes what the service takes.
const LARGEST_ON_SLIDER = 640;
const STEPS_OF_SIZES = 60;

/** Builds the settings, and calls `changed` with the parameters that differ from the defaults whenever one is moved. */
export class Settings {
  constructor(known, changed) {
    this.known = known;
    this.changed = changed;
    this.values = {};
    this.resets = [];
    for (const [shown, home] of [[SHOWN, "sliders"], [MORE, "more"]]) {
      for (const [name, about] of Object.entries(shown)) {
        if (known[name]) byId(home).append(this.control(name, { ...known[name], ...about }));
      }
    }
    byId("defaults").addEventListener("click", () => this.reset());
    byId("settings").hidden = false;
  }

  /** Name and value of what is not as by default. */
  get parameters() {
    return { ...this.values };
  }

  set(name, value) {
    if (value === this.known[name].default) delete this.values[name];
    else this.values[name] = value;
    byId("defaults").disabled = Object.keys(this.values).length === 0;
    this.changed(this.parameters);
  }

  reset() {
    this.values = {};
    for (const reset of this.resets) reset();
    byId("defaults").disabled = true;
    byId("settings-title").focus();
    this.changed(this.parameters);
  }

  control(name, about) {
    if (about.type === "boolean") return this.checkbox(name, about);
    if (about.choices) return this.choice(name, about);
    if (name in SHOWN) return this.slider(name, about);
    return this.number(name, about);
  }

  /** Range and field, each following the other. */
  slider(name, about) {
    const scale = scaleOf(about);
    const range = element("input", { type: "range", id: `set-${name}`, min: 0, max: scale.steps, step: 1 });
    const field = element("input", { type: "number", min: about.minimum, max: about.maximum, step: scale.step,
      "aria-label": `${about.label}, as a number`, inputmode: "decimal" });
    const follow = (value) => {
      field.value = value;
      range.setAttribute("aria-valuetext", about.unit ? `${value} ${about.unit}` : String(value));
    };
    const reset = () => {
      range.value = scale.place(about.default);
      follow(about.default);
    };
    range.addEventListener("input", () => {
      const value = scale.value(Number(range.value));
      follow(value);
      this.set(name, value);
    });
    field.addEventListener("change", () => {
      const value = within(field.value, about);
      range.value = scale.place(value);
      follow(value);
      this.set(name, value);
    });
    this.resets.push(reset);
    reset();
    return element("div", { class: "setting", title: about.help ?? "" },
      element("label", { for: range.id }, about.label), field, range);
  }

  number(name, about) {
    const field = element("input", { type: "number", id: `set-${name}`, min: about.minimum, max: about.maximum, step: 1 });
    const reset = () => {
      field.value = about.default;
    };
    field.addEventListener("change", () => {
      const value = Math.round(within(field.value, about));
      field.value = value;
      this.set(name, value);
    });
    this.resets.push(reset);
    reset();
    const label = about.zero ? `${about.label} (${about.zero})` : about.label;
    return element("div", { class: "row", title: about.help ?? "" }, element("label", { for: field.id }, label), field);
  }

  checkbox(name, about) {
    const box = element("input", { type: "checkbox", id: `set-${name}` });
    const reset = () => {
      box.checked = about.default;
    };
    box.addEventListener("change", () => this.set(name, box.checked));
    this.resets.push(reset);
    reset();
    return element("div", { class: "row", title: about.help ?? "" },
      element("label", { for: box.id }, about.label), box);
  }

  choice(name, about) {
    const select = element("select", { id: `set-${name}` },
      ...about.choices.map((value) => element("option", { value }, value.replaceAll("_", " "))));
    const reset = () => {
      select.value = about.default;
    };
    select.addEventListener("change", () => this.set(name, select.value));
    this.resets.push(reset);
    reset();
    return element("div", { class: "row", title: about.help ?? "" },
      element("label", { for: select.id }, about.label), select);
  }
}

/** A number out of a field: the default where there is none, the nearest that the service takes where it is beyond. */
export function within(text, about) {
  const value = text === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) return about.default;
  return Math.min(Math.max(value, about.minimum ?? -Infinity), about.maximum ?? Infinity);
}

/** Between a slider's places and values: hundredths for probabilities; sizes by ratios, so that small ones have room. */
export function scaleOf({ minimum = 0, maximum = 1 }) {
  if (maximum <= 1) {
    return {
      steps: Math.round((maximum - minimum) * 100),
      step: 0.01,
      value: (place) => Math.round(minimum * 100 + place) / 100,
      place: (value) => Math.round((value - minimum) * 100),
    };
  }
  const end = Math.min(maximum, LARGEST_ON_SLIDER);
  const ratio = Math.log(end / minimum) / STEPS_OF_SIZES;
  return {
    steps: STEPS_OF_SIZES,
    step: 1,
    value: (place) => Math.round(minimum * Math.exp(ratio * place)),
    place: (value) => Math.round(Math.log(Math.min(value, end) / minimum) / ratio),
  };
}
