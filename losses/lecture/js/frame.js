"use strict";
// Pictures are drawn by Go; this script redraws the marks that have a name when a control moves. A panel's attributes
// say how its units map to the picture's, and paths are cut and written as Go does it, to a tenth of a unit.

const data = JSON.parse(document.getElementById("data").textContent);
const chapters = {}; // by id: function(get, put, data)

const hypot = Math.hypot, cos = Math.cos, sin = Math.sin, acos = Math.acos, PI = Math.PI, degree = Math.PI / 180;
const clamp = (v, lo, hi) => Math.min(Math.max(v, lo), hi);
const safeAcos = c => acos(clamp(c, -1, 1));

// fixed writes a number with so many decimals and a real minus sign.
function fixed(v, digits) {
  if (v === null || !Number.isFinite(v)) return "–";
  let s = v.toFixed(digits);
  if (/^-[0.]*$/.test(s)) s = s.slice(1);
  return s.replace("-", "−");
}

// coordinate writes a number of a path.
function coordinate(v) {
  const s = v.toFixed(1).replace(/\.0$/, "");
  return s === "-0" ? "0" : s;
}

// span returns [lo, hi] steps+1 times evenly.
function sample(lo, hi, n, f) {
  const points = [];
  for (let i = 0; i <= n; i++) {
    const x = lo + (hi - lo) * i / n;
    points.push([x, f(x)]);
  }
  return points;
}

function arc(radius, from, to) {
  const n = Math.max(1, Math.ceil(Math.abs(to - from) * 180 / PI - 1e-9)), points = [];
  for (let i = 0; i <= n; i++) {
    const a = from + (to - from) * i / n;
    points.push([radius * cos(a), radius * sin(a)]);
  }
  return points;
}

// Panel maps between units of a panel and of its picture.
class Panel {
  constructor(g) {
    [this.x0, this.x1, this.left, this.right] = g.dataset.x.split(" ").map(Number);
    [this.y0, this.y1, this.bottom, this.top] = g.dataset.y.split(" ").map(Number);
  }
  place([x, y]) {
    return [this.left + (x - this.x0) / (this.x1 - this.x0) * (this.right - this.left),
      this.bottom - (y - this.y0) / (this.y1 - this.y0) * (this.bottom - this.top)];
  }
  invert([px, py]) {
    return [this.x0 + (px - this.left) / (this.right - this.left) * (this.x1 - this.x0),
      this.y0 + (this.bottom - py) / (this.bottom - this.top) * (this.y1 - this.y0)];
  }
  inside([x, y]) { return x >= this.x0 && x <= this.x1 && y >= this.y0 && y <= this.y1; }
  // cut returns the part of the segment ab in the panel (Liang and Barsky 1984), or null.
  cut(a, b) {
    const dx = b[0] - a[0], dy = b[1] - a[1];
    let t0 = 0, t1 = 1;
    for (const [d, q] of [[-dx, a[0] - this.x0], [dx, this.x1 - a[0]], [-dy, a[1] - this.y0], [dy, this.y1 - a[1]]]) {
      if (d === 0 && q < 0) return null;
      if (d < 0) t0 = Math.max(t0, q / d);
      if (d > 0) t1 = Math.min(t1, q / d);
    }
    if (t0 > t1) return null;
    return [t0 > 0 ? [a[0] + t0 * dx, a[1] + t0 * dy] : a, t1 < 1 ? [a[0] + t1 * dx, a[1] + t1 * dy] : b, t1 >= 1];
  }
}

const pair = p => coordinate(p[0]) + " " + coordinate(p[1]);
const joined = points => points.map((p, i) => (i ? "L" : "M") + pair(p)).join("");

// parts cuts points at gaps, which are null or hold a number that is none.
function parts(points) {
  const out = [];
  let part = [];
  for (const p of points) {
    if (p && Number.isFinite(p[0]) && Number.isFinite(p[1])) { part.push(p); continue; }
    if (part.length) out.push(part);
    part = [];
  }
  if (part.length) out.push(part);
  return out;
}

// Picture finds the marks of an <svg> and redraws them.
class Picture {
  constructor(id) {
    this.svg = document.getElementById(id);
    this.marks = {};
    for (const g of this.svg.querySelectorAll("g[data-x]")) {
      const panel = new Panel(g);
      for (const e of g.querySelectorAll("[data-mark]")) this.marks[e.dataset.mark] = { e, panel };
    }
  }
  line(name, points) {
    const { e, panel } = this.marks[name];
    let d = "";
    for (const part of parts(points)) {
      let open = false;
      for (let i = 0; i + 1 < part.length; i++) {
        const c = panel.cut(part[i], part[i + 1]);
        if (!c) { open = false; continue; }
        if (!open) d += "M" + pair(panel.place(c[0]));
        d += "L" + pair(panel.place(c[1]));
        open = c[2];
      }
    }
    e.setAttribute("d", d);
  }
  area(name, points) {
    const { e, panel } = this.marks[name];
    const inside = p => panel.place([clamp(p[0], panel.x0, panel.x1), clamp(p[1], panel.y0, panel.y1)]);
    e.setAttribute("d", parts(points).map(part => joined(part.map(inside)) + "Z").join(""));
  }
  dots(name, points) {
    const { e, panel } = this.marks[name];
    e.setAttribute("d", points.filter(p => panel.inside(p)).map(p => "M" + pair(panel.place(p)) + "h.01").join(""));
  }
  arrow(name, from, to) {
    const { e, panel } = this.marks[name];
    const a = panel.place(from), b = panel.place(to);
    if (hypot(b[0] - a[0], b[1] - a[1]) < 1) { e.setAttribute("d", ""); return; }
    const back = Math.atan2(a[1] - b[1], a[0] - b[0]);
    const wing = turn => [b[0] + 8 * cos(back + turn), b[1] + 8 * sin(back + turn)];
    e.setAttribute("d", joined([a, b]) + joined([wing(-0.42), b, wing(0.42)]));
  }
  text(name, at, shift, words) {
    const { e, panel } = this.marks[name];
    const p = panel.place(at);
    e.setAttribute("x", coordinate(p[0] + shift[0]));
    e.setAttribute("y", coordinate(p[1] + shift[1]));
    e.textContent = words;
  }
}

const pictures = {};
const picture = id => pictures[id] ||= new Picture(id);

const control = id => document.getElementById(id);
const get = id => Number(control(id).value);
const put = (id, text) => { document.getElementById(id).textContent = text; };

// show writes what stands beside a slider.
function show(input) {
  const output = input.parentElement.querySelector("output");
  if (!output) return;
  const stops = input.dataset.stops;
  output.textContent = stops ? stops.split("|")[Number(input.value)] : String(Number(input.value)).replace("-", "−") + (input.dataset.unit || "");
}

// set moves a control as a reader would.
function set(id, value) {
  const e = control(id);
  e.value = value;
  e.dispatchEvent(new Event("input", { bubbles: true }));
}

// animate moves a slider from its start to its end in so many seconds, or stops where it is under way.
const running = {};
function animate(id, seconds) {
  if (running[id]) { cancelAnimationFrame(running[id]); running[id] = 0; return; }
  const e = control(id), lo = Number(e.min), hi = Number(e.max);
  let began;
  const frame = now => {
    began ??= now;
    const t = Math.min(1, (now - began) / 1000 / seconds);
    set(id, lo + (hi - lo) * t);
    running[id] = t < 1 ? requestAnimationFrame(frame) : 0;
  };
  running[id] = requestAnimationFrame(frame);
}

// where returns a pointer's place in the units of a panel.
function where(event, svg, panel) {
  const m = svg.getScreenCTM().inverse();
  return panel.invert([event.clientX * m.a + event.clientY * m.c + m.e, event.clientX * m.b + event.clientY * m.d + m.f]);
}

// dragging makes marks with data-drag move controls: "x ID", "xy ID ID", "angle ID" about the origin, "turn ID ID".
function dragging(svg) {
  for (const e of svg.querySelectorAll("[data-drag]")) {
    const panel = new Panel(e.closest("g[data-x]"));
    const [how, one, two] = e.dataset.drag.split(" ");
    e.classList.add("drag");
    let last = null;
    const grip = e.cloneNode(false); // a larger, invisible place to hold it by
    grip.removeAttribute("data-mark");
    grip.removeAttribute("data-drag");
    grip.setAttribute("class", "grip");
    grip.setAttribute("stroke-width", how === "turn" ? 6 : 34);
    if (how !== "turn") {
      e.after(grip);
      new MutationObserver(() => grip.setAttribute("d", e.getAttribute("d"))).observe(e, { attributes: true, attributeFilter: ["d"] });
    }
    const move = event => {
      if (!last) return;
      const p = where(event, svg, panel);
      if (how === "x" || how === "xy") set(one, p[0]);
      if (how === "xy") set(two, p[1]);
      if (how === "angle") set(one, Math.atan2(p[1], p[0]) / degree);
      if (how === "turn") {
        set(one, get(one) + (p[0] - last[0]) / degree);
        set(two, get(two) - (p[1] - last[1]) / degree);
      }
      last = p;
      event.preventDefault();
    };
    for (const t of [e, grip]) {
      t.addEventListener("pointerdown", event => {
        last = where(event, svg, panel);
        if (event.isTrusted) t.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      t.addEventListener("pointermove", move);
      t.addEventListener("pointerup", () => { last = null; });
      t.addEventListener("pointercancel", () => { last = null; });
    }
  }
}

// hovering tells the values of the lines with data-hover where the pointer is.
function hovering(svg) {
  const lines = svg.querySelectorAll("[data-hover]");
  if (!lines.length) return;
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  svg.parentElement.append(tip);
  const leave = () => { tip.hidden = true; };
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("pointermove", event => {
    const rows = [];
    let at = null;
    for (const e of lines) {
      const panel = new Panel(e.closest("g[data-x]"));
      const p = where(event, svg, panel), px = panel.place(p);
      if (!panel.inside(p)) continue;
      const near = crossing(e.getAttribute("d"), px);
      if (!near || Math.abs(near[1] - px[1]) > 60) continue;
      at = panel.invert(near);
      rows.push([Math.abs(near[1] - px[1]), e.dataset.hover, at[1], e.getAttribute("stroke")]);
    }
    if (!rows.length) { leave(); return; }
    rows.sort((a, b) => a[0] - b[0]);
    tip.replaceChildren(...[[0, "at", at[0], "currentColor"], ...rows.slice(0, 5)].map(([, label, v, color]) => {
      const row = document.createElement("div");
      row.textContent = label + "  " + Number(v.toPrecision(3)).toString().replace("-", "−");
      row.style.color = color;
      return row;
    }));
    tip.hidden = false;
    const box = svg.parentElement.getBoundingClientRect();
    const x = event.clientX - box.left, left = x > box.width / 2;
    tip.style.left = left ? "" : x + 14 + "px";
    tip.style.right = left ? box.width - x + 14 + "px" : "";
    tip.style.top = event.clientY - box.top - 10 + "px";
  });
}

// crossing returns the point of a path at the pointer's x that is nearest to it.
function crossing(d, [x, y]) {
  let best = null;
  for (const part of d.split("M").slice(1)) {
    const points = part.split("L").map(p => p.split(" ").map(parseFloat));
    for (let i = 0; i + 1 < points.length; i++) {
      const [a, b] = [points[i], points[i + 1]];
      if ((a[0] - x) * (b[0] - x) > 0 || a[0] === b[0]) continue;
      const at = a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]);
      if (!best || Math.abs(at - y) < Math.abs(best[1] - y)) best = [x, at];
    }
  }
  return best;
}

// start connects everything. Chapters redraw at once what Go has drawn, so that a mistake shows.
function start() {
  document.documentElement.classList.add("js");
  for (const form of document.querySelectorAll("form.controls")) {
    form.reset();
    form.addEventListener("submit", event => event.preventDefault());
    const section = form.closest("section");
    const redraw = () => chapters[section.id](data[section.id]);
    form.addEventListener("input", event => { show(event.target); redraw(); });
    redraw();
  }
  for (const svg of document.querySelectorAll("main figure svg")) { dragging(svg); hovering(svg); }
}
