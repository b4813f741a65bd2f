// Chapters (a) to (f).

chapters.descent = tracks => {
  const track = tracks[get("a-rate")], read = get("a-read");
  const plane = picture("a-plane"), curve = picture("a-loss");
  for (const [name, batch] of [["one", 1], ["mini", 6], ["full", 24]]) {
    const t = track[name], steps = Math.floor(read / batch);
    const path = [], loss = [];
    for (let k = 0; k <= steps; k++) {
      path.push([t.w[k], t.b[k]]);
      loss.push([k * batch / 24, t.loss[k]]);
    }
    plane.line(name, path);
    plane.dots(name + "-end", [path[steps]]);
    curve.line(name + "-loss", loss);
    curve.dots(name + "-now", [loss[steps]]);
    put("a-" + name, fixed(loss[steps][1], 4));
  }
};
document.getElementById("a-run").addEventListener("click", () => animate("a-read", 6));

const sign = r => r > 0 ? 1 : r < 0 ? -1 : 0;
const plain = { // value and derivative of a residual
  l1: r => [Math.abs(r), sign(r)],
  l2: r => [r * r / 2, r],
  huber: delta => r => Math.abs(r) <= delta ? [r * r / 2, r] : [delta * (Math.abs(r) - delta / 2), delta * sign(r)],
};

// fitWeighted fits a line by weighted squares, as Go does.
function fitWeighted(loss, x, y, steps) {
  let W = 0, B = 0;
  for (let step = 0; step < steps; step++) {
    let w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
    for (let i = 0; i < x.length; i++) {
      const r = W * x[i] + B - y[i];
      const k = r === 0 ? 1 : loss(r)[1] / r;
      w += k; wx += k * x[i]; wy += k * y[i]; wxx += k * x[i] * x[i]; wxy += k * x[i] * y[i];
    }
    W = (w * wxy - wx * wy) / (w * wxx - wx * wx);
    B = (wy - W * wx) / w;
  }
  return [W, B];
}

// fitThrough finds the pair of points whose line has the least absolute error.
function fitThrough(x, y) {
  let best = [0, 0], least = Infinity;
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      if (x[i] === x[j]) continue;
      const w = (y[i] - y[j]) / (x[i] - x[j]), b = y[i] - w * x[i];
      let v = 0;
      for (let k = 0; k < x.length; k++) v += Math.abs(w * x[k] + b - y[k]);
      v /= x.length;
      if (v < least - 1e-12) { least = v; best = [w, b]; }
    }
  }
  return best;
}

chapters.regression = d => {
  const delta = get("b-delta"), x = [...d.x, get("b-x")], y = [...d.y, get("b-y")];
  const huber = plain.huber(delta);
  const fits = { l1: fitThrough(x, y), l2: fitWeighted(plain.l2, x, y, 1), huber: fitWeighted(huber, x, y, d.steps) };
  picture("b-loss").line("huber", sample(-4, 4, 160, r => huber(r)[0]));
  picture("b-gradient").line("huber-slope", sample(-4, 4, 160, r => huber(r)[1]));
  const fit = picture("b-fit");
  for (const [name, [w, b]] of Object.entries(fits)) {
    fit.line(name + "-fit", [[0, b], [10, 10 * w + b]]);
    put("b-" + name, fixed(w, 3));
  }
  fit.dots("outlier", [[get("b-x"), get("b-y")]]);
};

const sigmoid = z => 1 / (1 + Math.exp(-z));
const softplus = z => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));

chapters.classes = () => {
  const z = [get("c-s1"), get("c-s2"), get("c-s3")];
  const top = Math.max(...z), e = z.map(v => Math.exp(v - top)), sum = e[0] + e[1] + e[2];
  const soft = e.map(v => v / sum), sig = z.map(sigmoid);
  const bar = (x, v) => [[x - 0.15, 0], [x - 0.15, v], [x + 0.15, v], [x + 0.15, 0]];
  for (const [id, p, t] of [["c-softmax", soft, [0, 0, 1]], ["c-labels", sig, [1, 0, 1]]]) {
    const pic = picture(id);
    for (let j = 0; j < 3; j++) {
      const x = j + 1, g = p[j] - t[j];
      pic.area("p" + j, bar(x - 0.17, p[j]));
      pic.area("g" + j, bar(x + 0.17, g));
      pic.text("pt" + j, [x - 0.17, p[j]], [0, -4], fixed(p[j], 2));
      pic.text("gt" + j, [x + 0.17, g], [0, g < 0 ? 13 : -4], fixed(g, 2));
    }
  }
  const curve = picture("c-sigmoid");
  for (let j = 0; j < 3; j++) {
    curve.dots("s" + j, [[z[j], sig[j]]]);
    curve.text("st" + j, [z[j], sig[j]], [0, [-9, 19, -9][j]], "s" + "₁₂₃"[j]);
  }
  put("c-ce", fixed(top + Math.log(sum) - z[2], 4));
  put("c-bce", fixed(z.reduce((s, v, j) => s + softplus(v) - v * [1, 0, 1][j], 0), 4));
  put("c-sum", fixed(soft[0] + soft[1] + soft[2] - 1, 4));
};

chapters.misclassified = () => {
  const y = get("d-p");
  for (const [name, value, slope] of [["mse", (1 - y) * (1 - y), 2 * (1 - y)], ["ce", -Math.log(y), 1 / y]]) {
    [["d-loss", value], ["d-output", slope], ["d-logit", slope * y * (1 - y)]].forEach(([id, v], k) => {
      picture(id).dots(name + "-dot", [[y, v]]);
      put("d-" + name + "-" + k, fixed(v, 3));
    });
  }
};

// focal returns loss and size of the gradient at the logit.
const focal = (gamma, p) => [-Math.pow(1 - p, gamma) * Math.log(p), Math.abs(Math.pow(1 - p, gamma) * (gamma * p * Math.log(p) - (1 - p)))];

chapters.focal = () => {
  const gamma = get("e-gamma"), p = get("e-p");
  ["e-loss", "e-gradient"].forEach((id, k) => {
    picture(id).line("gamma", sample(0.01, 0.99, 98, q => focal(gamma, q)[k]));
    picture(id).dots("at", [[p, focal(gamma, p)[k]]]);
  });
  const [value, slope] = focal(gamma, p), [ce, dce] = focal(0, p);
  put("e-value", fixed(value, 4));
  put("e-ce", fixed(ce, 4));
  put("e-less", fixed(ce / value, 1));
  put("e-slope-less", fixed(dce / slope, 2));
};

const squared = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2;

// triplet returns distances, loss and the gradients of three unit vectors.
function triplet([a, p, n], margin) {
  const positive = squared(a, p), negative = squared(a, n), loss = Math.max(0, positive - negative + margin);
  const on = loss > 0 ? 1 : 0;
  const raw = [[2 * (n[0] - p[0]), 2 * (n[1] - p[1])], [2 * (p[0] - a[0]), 2 * (p[1] - a[1])], [2 * (a[0] - n[0]), 2 * (a[1] - n[1])]];
  const gradient = [a, p, n].map((u, i) => { // along the circle
    const along = raw[i][0] * u[0] + raw[i][1] * u[1];
    return [on * (raw[i][0] - along * u[0]), on * (raw[i][1] - along * u[1])];
  });
  return { at: [a, p, n], positive, negative, loss, gradient };
}

chapters.triplet = () => {
  const names = ["anchor", "positive", "negative"], margin = get("f-margin"), rate = get("f-rate");
  const at = names.map(n => [cos(get("f-" + n) * degree), sin(get("f-" + n) * degree)]);
  const before = triplet(at, margin);
  const after = triplet(before.gradient.map((g, i) => {
    const q = [at[i][0] - rate * g[0], at[i][1] - rate * g[1]], r = hypot(...q);
    return [q[0] / r, q[1] / r];
  }), margin);
  const pic = picture("f-circle");
  pic.line("reach", arc(Math.sqrt(before.positive + margin), 0, 2 * PI).map(q => [at[0][0] + q[0], at[0][1] + q[1]]));
  pic.line("ap", [at[0], at[1]]);
  pic.line("an", [at[0], at[2]]);
  names.forEach((n, i) => {
    pic.dots(n + "-after", [after.at[i]]);
    pic.arrow(n + "-step", at[i], after.at[i]);
    pic.dots(n, [at[i]]);
    pic.text(n + "-name", [1.16 * at[i][0], 1.16 * at[i][1]], [0, 4], n);
  });
  const scale = picture("f-distances");
  [["before", before], ["after", after]].forEach(([n, s], k) => {
    const y = 1 - k, end = s.positive + margin;
    scale.area(n + "-margin", [[s.positive, y - 0.16], [s.positive, y + 0.16], [end, y + 0.16], [end, y - 0.16]]);
    scale.dots(n + "-p", [[s.positive, y]]);
    scale.dots(n + "-n", [[s.negative, y]]);
    scale.text(n + "-pt", [s.positive, y], [0, -13], "d(a,p) " + fixed(s.positive, 2));
    scale.text(n + "-nt", [s.negative, y], [0, 21], "d(a,n) " + fixed(s.negative, 2));
  });
  put("f-before", fixed(before.loss, 4));
  put("f-after", fixed(after.loss, 4));
  put("f-kind", before.negative <= before.positive ? "hard" : before.loss > 0 ? "semi-hard" : "outside the margin: no loss");
};
