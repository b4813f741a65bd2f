// Chapters in the plane and in space: (h), (i), (j).

// half returns the part of the square from -3 to 3 where the linear function f is above 0, and the line where it is 0.
function half(f) {
  const corners = [[-3, -3], [3, -3], [3, 3], [-3, 3]], region = [], edge = [];
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % 4], fa = f(a), fb = f(b);
    if (fa > 0) region.push(a);
    if ((fa > 0) !== (fb > 0)) {
      const t = fa / (fa - fb), q = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
      region.push(q);
      edge.push(q);
    }
  });
  return [region, edge];
}

chapters.bias = () => {
  const turn = get("h-angle") / 2 * degree, x = [get("h-x"), get("h-y")];
  const unit = [[cos(turn), sin(turn)], [cos(turn), -sin(turn)]];
  const free = [unit[0].map(v => v * get("h-w1")), unit[1].map(v => v * get("h-w2"))];
  for (const [id, [w1, w2], bias] of [["h-softmax", free, get("h-bias")], ["h-modified", unit, 0]]) {
    const z1 = q => q[0] * w1[0] + q[1] * w1[1] + bias, z2 = q => q[0] * w2[0] + q[1] * w2[1];
    const pic = picture(id), [one, edge] = half(q => z1(q) - z2(q));
    pic.area("one", one);
    pic.area("two", half(q => z2(q) - z1(q))[0]);
    pic.line("edge", edge);
    pic.arrow("w1", [0, 0], w1);
    pic.arrow("w2", [0, 0], w2);
    pic.text("w1-name", w1, [5, -3], "W₁");
    pic.text("w2-name", w2, [5, 12], "W₂");
    pic.dots("x", [x]);
    pic.text("x-name", x, [9, 4], "x");
    put(id + "-z1", fixed(z1(x), 3));
    put(id + "-z2", fixed(z2(x), 3));
  }
};

chapters.features = nets => {
  const step = get("i-step"), kinds = 6;
  [["softmax", nets[0]], ["modified", nets[1]], ["asoftmax", nets[2 + get("i-m")]]].forEach(([id, n]) => {
    const raw = picture("i-" + id), ring = picture("i-" + id + "-circle"), f = n.features[step], w = n.weights[step];
    raw.text("scale", [1.1, -1.1], [0, -2], "the half width is " + Number((1.1 * n.reach).toPrecision(6)));
    for (let kind = 0; kind < kinds; kind++) {
      const points = [], around = [];
      for (let i = kind; i < f.length / 2; i += kinds) {
        const x = f[2 * i], y = f[2 * i + 1], r = hypot(x, y);
        const radius = 0.86 + 0.16 * (Math.floor(i / kinds) * 7 % 10) / 10;
        points.push([x / n.reach, y / n.reach]);
        if (r > 0) around.push([x / r * radius, y / r * radius]);
      }
      const u = [w[2 * kind], w[2 * kind + 1]];
      raw.dots("c" + kind, points);
      ring.dots("c" + kind, around);
      ring.arrow("w" + kind, [0, 0], u.map(v => 0.8 * v));
      ring.text("n" + kind, u.map(v => 1.17 * v), [0, 4.5], String(kind));
    }
    put("i-" + id + "-correct", fixed(100 * n.correct[step], 1) + " %");
    put("i-" + id + "-spread", fixed(n.spread[step], 1) + "°");
  });
};
document.getElementById("i-run").addEventListener("click", () => animate("i-step", 5));

const dot3 = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

// turned turns a point about the vertical axis and then about the horizontal.
function turned([x, y, z], yaw, pitch) {
  const x1 = cos(yaw) * x + sin(yaw) * z, z1 = cos(yaw) * z - sin(yaw) * x;
  return [x1, cos(pitch) * y - sin(pitch) * z1, cos(pitch) * z1 + sin(pitch) * y];
}

const spiral = [];
for (let i = 0, n = 1500; i < n; i++) {
  const y = 1 - (2 * i + 1) / n, r = Math.sqrt(1 - y * y), a = i * PI * (3 - Math.sqrt(5));
  spiral.push([r * cos(a), y, r * sin(a)]);
}

chapters.regions = () => {
  const k = get("j-k") * degree, yaw = get("j-yaw") * degree, pitch = get("j-pitch") * degree;
  const margin = get("j-euclidean"), m = get("j-m"), names = ["between", "one", "two"];
  const rules = {
    euclidean: (own, other) => 2 - 2 * own - (2 - 2 * other) + margin <= 0,
    modified: (own, other) => own > other,
    asoftmax: (own, other) => psi(m, safeAcos(own)) > other,
  };
  const s = sin(k / 2), c = cos(k / 2), w = [[-s, c], [s, c]], ws = [[-s, 0, c], [s, 0, c]];
  for (const [id, rule] of Object.entries(rules)) {
    const side = (a, b) => rule(a, b) ? 1 : rule(b, a) ? 2 : 0;
    const flat = picture("j-" + id + "-circle"), ball = picture("j-" + id + "-sphere");
    const arcs = [[], [], []], dots = [[], [], []], count = [0, 0, 0];
    for (let d = 0; d < 360; d++) {
      const q = [cos((d + 0.3) * degree), sin((d + 0.3) * degree)];
      arcs[side(q[0] * w[0][0] + q[1] * w[0][1], q[0] * w[1][0] + q[1] * w[1][1])].push(q);
    }
    for (const x of spiral) {
      const which = side(dot3(x, ws[0]), dot3(x, ws[1])), t = turned(x, yaw, pitch);
      count[which]++;
      if (t[2] > 0) dots[which].push([t[0], t[1]]);
    }
    names.forEach((name, i) => { flat.dots(name, arcs[i]); ball.dots(name, dots[i]); });
    for (let i = 0; i < 2; i++) {
      const label = "W" + "₁₂"[i], t = turned(ws[i], yaw, pitch);
      flat.arrow("w" + (i + 1), [0, 0], w[i].map(v => 0.9 * v));
      flat.text("w" + (i + 1) + "-name", w[i].map(v => 1.2 * v), [0, 4], label);
      ball.text("w" + (i + 1) + "-name", [t[0], t[1]], [0, 5], t[2] > 0 ? label : "");
    }
    put("j-left-" + id, fixed(100 * count[0] / 1500, 1) + " % of the sphere");
  }
};
