// Chapters on logits as functions of angles: (g), (k), (l), (m).

// psi is the falling extension of cos mθ, for any m >= 1.
function psi(m, theta) {
  const k = Math.floor(m * theta / PI);
  return (1 - 2 * (k % 2)) * cos(m * theta) - 2 * k;
}

const overAngles = values => values.map((v, i) => [2 * i, v]);
const everyAngle = f => { // at 0°, 2° ... 180°
  const out = [];
  for (let d = 0; d <= 180; d += 2) out.push([d, f(d * degree)]);
  return out;
};
const cosine = everyAngle(cos).map(p => p[1]);

let shownHead = null;
chapters.targets = tables => {
  const t = tables[get("g-head")], slider = control("g-stop");
  if (shownHead !== null && shownHead !== t) { // another head: its own default
    slider.max = t.stops.length - 1;
    slider.value = t.chosen;
  }
  shownHead = t;
  const stop = Math.min(Number(slider.value), t.stops.length - 1), at = get("g-theta");
  slider.parentElement.querySelector("output").textContent = t.stops[stop];
  slider.disabled = t.stops.length === 1;
  const own = t.own[stop], other = t.other ? t.other[stop] : cosine;
  const all = picture("g-heads");
  all.line("other", overAngles(other));
  all.line("own", overAngles(own));
  all.dots("at", [[at, own[at / 2]]]);
  all.text("name", [180, 1.1], [-4, 15], t.title);
  all.text("stop", [180, 1.1], [-4, 30], t.stops[stop]);
  put("g-own", fixed(own[at / 2], 3));
  put("g-other", fixed(other[at / 2], 3));
  put("g-knob", t.stops[stop]);

  const m = get("g-m"), pieces = picture("g-psi"), cuts = [], knots = [];
  pieces.line("times", everyAngle(a => cos(m * a)));
  pieces.line("psi", everyAngle(a => psi(m, a)));
  for (let k = 0; k < 6; k++) {
    const edge = k * 180 / m, there = k < m;
    if (there) knots.push([edge, psi(m, edge * degree)]);
    if (there && k) cuts.push([edge, -11.5], [edge, 1.5], null);
    pieces.text("k" + k, [there ? edge + 90 / m : 0, -11.5], [0, -5], there ? "k = " + k : "");
  }
  pieces.line("cuts", cuts);
  pieces.dots("knots", knots);
  put("g-sixty", fixed(psi(m, 60 * degree), 3));
};

chapters.planes = () => {
  const ratio = get("k-ratio"), sphere = get("k-sphere"), c = get("k-cos"), a = get("k-arc");
  const same = f => [f, f];
  const heads = { // where θ of the other class begins to be enough, for a sample of class 1 and of class 2
    softmax: [t => safeAcos(ratio * cos(t)), t => safeAcos(cos(t) / ratio)],
    normface: same(t => t),
    sphereface: same(t => safeAcos(psi(sphere, t))),
    cosface: same(t => safeAcos(cos(t) - c)),
    arcface: same(t => Math.min(t + a, PI)),
  };
  for (const [name, [first, second]] of Object.entries(heads)) {
    const one = [], two = [];
    for (let d = 0; d <= 180; d += 3) {
      one.push([d, first(d * degree) / degree]);
      two.push([second(d * degree) / degree, d]);
    }
    const ends = [[[180, 180], [0, 180]], [[180, 180], [180, 0]]];
    for (const plane of ["angle", "cosine"]) {
      const pic = picture("k-" + name + "-" + plane);
      const at = plane === "angle" ? p => p : p => [cos(p[0] * degree), cos(p[1] * degree)];
      [one, two].forEach((edge, n) => {
        pic.area(["one", "two"][n], [...edge, ...ends[n]].map(at));
        pic.line("edge" + (n + 1), edge.map(at));
      });
    }
  }
};

// margins returns the angle between the boundaries of two classes at K apart, NaN where there is none.
const margins = {
  sphere: m => k => (m - 1) / (m + 1) * k,
  cos: m => k => m > 1 - cos(k) ? NaN : 2 * Math.asin(m / (2 * sin(k / 2))),
  arc: m => k => m > k ? NaN : m,
};

chapters.separation = () => {
  const K = get("l-k"), k = K * degree, pic = picture("l-margin"), rings = picture("l-rings");
  Object.entries(margins).forEach(([name, make], i) => {
    const f = make(get("l-" + name)), m = f(k);
    pic.line(name, sample(2, 180, 89, d => f(d * degree) / degree));
    pic.dots(name + "-at", [[K, m / degree]]);
    const radius = [1, 0.8, 0.6][i], left = PI / 2 + k / 2, right = PI / 2 - k / 2, t = (k - m) / 2;
    const some = Number.isFinite(m);
    rings.line(name + "-between", some ? arc(radius, right + t, left - t) : []);
    rings.line(name + "-one", some ? arc(radius, left, left - t) : []);
    rings.line(name + "-two", some ? arc(radius, right, right + t) : []);
    put("l-" + name + "-margin", some ? fixed(m / degree, 1) + "°" : "none");
  });
  [PI / 2 + k / 2, PI / 2 - k / 2].forEach((turn, n) => {
    const u = [cos(turn), sin(turn)], w = "w" + (n + 1);
    rings.arrow(w, [0, 0], u.map(v => 1.1 * v));
    rings.text(w + "-name", u.map(v => 1.19 * v), [0, 4], "W" + "₁₂"[n]);
  });
};

// slopes are how fast the logits of the chapter fall.
const slopes = {
  normface: sin,
  cosface: sin,
  arcface: t => t + 0.5 > PI ? 0 : sin(t + 0.5),
  spherefacer: t => 1.5 * t > PI ? 0 : 1.5 * sin(1.5 * t),
  sphereface: t => 4 * Math.abs(sin(4 * t)),
};

chapters.steepness = tables => {
  const scale = get("m-scale"), start = get("m-start"), step = get("m-step");
  for (const [name, t] of Object.entries(tables)) {
    const path = t.path[scale][start];
    picture("m-probability").line(name, t.p[scale].map((v, i) => [i, v]));
    picture("m-path").line(name, path.map((v, i) => [i, v]));
    picture("m-path").dots(name + "-at", [[step, path[step]]]);
    picture("m-slope").dots(name + "-slope", [[path[step], slopes[name](path[step] * degree)]]);
    put("m-" + name, fixed(path[step], 1) + "°");
  }
};
document.getElementById("m-run").addEventListener("click", () => animate("m-step", 5));
