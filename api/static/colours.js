/** Colours of the sides as the scoring program named them, made so that what stands on them can be read. */

const DEFAULT_COLOUR = { blue: "#1246b8", red: "#c8102e" };
// What a side's colour fades into, by look.
const PANELS = { olympic: "#ffffff", modern: "#0b1120", arcade: "#14062b" };
const SHARES = { olympic: 0.16, modern: 0.42, arcade: 0.6 };
const LARGE_TEXT_CONTRAST = 3;

/** Set a side's colours on the page, as `--blue`, `--blue-ink` (what is written on it) and `--blue-shade`. */
export function paint(side, athlete, look) {
  const background = hex(athlete.background) ?? DEFAULT_COLOUR[side];
  const style = document.documentElement.style;
  style.setProperty(`--${side}`, background);
  style.setProperty(`--${side}-ink`, readable(hex(athlete.foreground), background));
  style.setProperty(`--${side}-shade`, mix(background, PANELS[look], SHARES[look]));
}

/** The wanted colour if large figures can be read in it, else whichever of white and black is clearer. */
export function readable(wanted, background) {
  if (wanted && contrast(wanted, background) >= LARGE_TEXT_CONTRAST) return wanted;
  return contrast("#ffffff", background) >= LARGE_TEXT_CONTRAST ? "#ffffff" : "#101010";
}

/** How far two colours differ in lightness, 1 to 21, as WCAG counts it. */
export function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function hex(text) {
  return /^#[0-9a-f]{6}$/i.test(text ?? "") ? text : null;
}

function luminance(colour) {
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = channels(colour).map((value) => linear(value / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix(one, other, share) {
  const others = channels(other);
  return `rgb(${channels(one).map((value, index) => Math.round(value * share + others[index] * (1 - share))).join(", ")})`;
}

function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
