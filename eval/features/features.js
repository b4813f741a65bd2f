'use strict';
// Turns the sphere of the page: a canvas in the place of the picture, and the picture's legend as buttons.
(function () {
  var place = document.getElementById('turn');
  var data = JSON.parse(document.getElementById('data').textContent);
  var canvas = document.createElement('canvas');
  var context = canvas.getContext && canvas.getContext('2d');
  if (!place || !context) return; // the picture stays
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', place.querySelector('svg').getAttribute('aria-label') + '; drag or arrow keys turn it');
  var view = start();
  var hidden = data.names.map(function () { return false; });

  function start() { return data.view.map(function (row) { return row.slice(); }); }

  // turn rotates the view by radians about the picture's vertical and horizontal axes.
  function turn(x, y) {
    rotate(0, 2, x);
    rotate(1, 2, y);
  }
  function rotate(a, b, angle) {
    var c = Math.cos(angle), s = Math.sin(angle), u = view[a], v = view[b];
    view[a] = u.map(function (_, k) { return c * u[k] - s * v[k]; });
    view[b] = u.map(function (_, k) { return s * u[k] + c * v[k]; });
  }
  function see(list, i) {
    return view.map(function (row) { return (row[0] * list[3 * i] + row[1] * list[3 * i + 1] + row[2] * list[3 * i + 2]) / 1000; });
  }

  function draw() {
    var css = getComputedStyle(document.documentElement);
    var color = function (name) { return css.getPropertyValue(name).trim(); };
    var side = canvas.clientWidth, scale = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(side * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, side, side);
    var r = side / 2.16, at = function (p) { return [side / 2 + r * p[0], side / 2 - r * p[1]]; };
    context.lineWidth = 1;
    context.strokeStyle = color('--plot-grid');
    [[0, 1], [1, 2], [0, 2]].forEach(function (plane) {
      var down = false;
      context.beginPath();
      for (var k = 0; k <= 120; k++) {
        var x = [0, 0, 0];
        x[plane[0]] = 1000 * Math.cos(Math.PI * k / 60);
        x[plane[1]] = 1000 * Math.sin(Math.PI * k / 60);
        var p = see(x, 0), q = at(p);
        if (p[2] < 0) { down = false; continue; }
        if (down) context.lineTo(q[0], q[1]); else context.moveTo(q[0], q[1]);
        down = true;
      }
      context.stroke();
    });
    context.strokeStyle = color('--plot-ink');
    context.beginPath();
    context.arc(side / 2, side / 2, r, 0, 2 * Math.PI);
    context.stroke();

    var points = [];
    data.class.forEach(function (k, i) { if (!hidden[k]) points.push([see(data.points, i), k]); });
    points.sort(function (a, b) { return a[0][2] - b[0][2]; });
    points.forEach(function (point) {
      var q = at(point[0]);
      context.globalAlpha = point[0][2] < 0 ? 0.16 : 0.7;
      context.fillStyle = color('--plot-' + point[1] % data.colors);
      mark(q[0], q[1], Math.max(2, side / 180), Math.floor(point[1] / data.colors) % 3);
    });
    data.names.forEach(function (_, k) {
      if (hidden[k]) return;
      var p = see(data.means, k), q = at(p);
      context.globalAlpha = p[2] < 0 ? 0.3 : 1;
      context.strokeStyle = color('--plot-' + k % data.colors);
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(side / 2, side / 2);
      context.lineTo(q[0], q[1]);
      context.stroke();
    });
    context.globalAlpha = 1;
  }
  function mark(x, y, size, shape) {
    context.beginPath();
    if (shape === 0) context.arc(x, y, size, 0, 2 * Math.PI);
    else if (shape === 1) context.rect(x - size, y - size, 2 * size, 2 * size);
    else { context.moveTo(x, y - 1.2 * size); context.lineTo(x + 1.1 * size, y + size); context.lineTo(x - 1.1 * size, y + size); }
    context.fill();
  }

  var last = null;
  canvas.addEventListener('pointerdown', function (e) { last = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener('pointerup', function () { last = null; });
  canvas.addEventListener('pointermove', function (e) {
    if (!last) return;
    var r = canvas.clientWidth / 2.16;
    turn((e.clientX - last[0]) / r, (last[1] - e.clientY) / r);
    last = [e.clientX, e.clientY];
    draw();
  });
  canvas.addEventListener('keydown', function (e) {
    var step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[e.key];
    if (!step) return;
    e.preventDefault();
    turn(step[0], step[1]);
    draw();
  });
  canvas.addEventListener('dblclick', function () { view = start(); draw(); });

  var legend = document.createElement('p');
  legend.className = 'legend';
  data.names.forEach(function (name, k) {
    var label = document.createElement('label'), box = document.createElement('input'), dot = document.createElement('span');
    box.type = 'checkbox';
    box.checked = true;
    box.addEventListener('change', function () { hidden[k] = !box.checked; draw(); });
    dot.textContent = ['●', '■', '▲'][Math.floor(k / data.colors) % 3];
    dot.style.color = 'var(--plot-' + k % data.colors + ')';
    label.append(box, ' ', dot, ' ' + name);
    legend.append(label);
  });
  place.replaceChildren(canvas, legend);
  window.addEventListener('resize', draw);
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
})();
