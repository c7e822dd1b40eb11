// <div data-chart data-src="…json" data-height="220">: draws what detectviz.web.charts describes.
(() => {
  const charts = new Map();
  const loaded = new WeakMap();
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const faded = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;

  const tinted = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, ${token("--dv-surface")})`;
  // uPlot's steps: from this many seconds on, this label, and the day where it changes
  const clock = [
    [86400, "{DD} {MMM}", null, null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
  ];

  const prefixed = (value, base, names) => {
    if (value === 0) return `0 ${names[0]}`.trim();
    const power = Math.min(names.length - 1, Math.max(0, Math.floor(Math.log(Math.abs(value)) / Math.log(base))));
    return `${trim(value / base ** power)} ${names[power]}`.trim();
  };
  const trim = (value) => String(Number(value.toPrecision(3)));
  const seconds = (value) => {
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size < 0.001) return `${trim(value * 1e6)} µs`;
    if (size < 1) return `${trim(value * 1e3)} ms`;
    if (size < 120) return `${trim(value)} s`;
    if (size < 7200) return `${trim(value / 60)} min`;
    if (size < 172800) return `${trim(value / 3600)} h`;
    return `${trim(value / 86400)} d`;
  };
  const formats = {
    s: seconds,
    bytes: (value) => prefixed(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]),
    ratio: (value) => `${trim(value * 100)} %`,
    "": (value) => (Math.abs(value) < 1000 ? trim(value) : prefixed(value, 1000, ["", "k", "M", "G", "T"])),
  };

  // stacked series are drawn as running sums, the legend keeps each one's own value
  const stacked = (series) => {
    const sums = [];
    return series.map((one) => one.values.map((value, index) => {
      if (value === null) return null;
      sums[index] = (sums[index] || 0) + value;
      return sums[index];
    }));
  };

  const background = (data) => (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const band of data.bands || []) {
      const left = plot.valToPos(band.from, "x", true);
      const right = plot.valToPos(band.to, "x", true);
      ctx.fillStyle = faded(token(`--dv-${band.state}`), 16);
      ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
    }
    ctx.restore();
  };

  const thresholds = (data) => (plot) => {
    const { ctx, bbox } = plot;
    for (const line of data.thresholds || []) {
      const y = plot.valToPos(line.value, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.save();
      ctx.strokeStyle = token("--dv-down");
      ctx.fillStyle = token("--dv-down-ink");
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      ctx.fillText(line.label, bbox.left + bbox.width - 4, y - 4 * devicePixelRatio);
      ctx.restore();
    }
  };

  const range = (data) => (plot, low, high) => {
    const marks = (data.thresholds || []).map((line) => line.value);
    const bottom = Math.min(low ?? 0, 0, ...marks);
    const top = Math.max(high ?? 1, ...marks);
    return [bottom, top === bottom ? bottom + 1 : top + (top - bottom) * 0.08];
  };

  const options = (data, width, height) => {
    const format = formats[data.unit] || ((value) => `${trim(value)} ${data.unit}`);
    const axis = {
      stroke: token("--dv-muted"),
      font: "11px system-ui, sans-serif",
      grid: { stroke: token("--dv-line"), width: 1 },
      ticks: { show: false },
    };
    const colour = (index) => token(`--dv-series-${(index % 6) + 1}`);
    const lines = data.series.map((one, index) => ({
      label: one.label,
      stroke: one.state ? token(`--dv-${one.state}`) : colour(index),
      width: 1.5,
      fill: data.is_stacked || data.series.length === 1
        ? tinted(one.state ? token(`--dv-${one.state}`) : colour(index), data.is_stacked ? 55 : 14) : undefined,
      points: { show: data.times.length < 2 },
      spanGaps: false,
      value: (plot, raw, id, row) => {
        const own = row === null || row === undefined ? raw : one.values[row];
        return own === null || own === undefined ? "–" : format(own);
      },
    }));
    return {
      width,
      height,
      legend: { live: true },
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: (plot, low, high) => [data.from ?? low, data.to ?? high] },
        y: { range: range(data) },
      },
      axes: [{ ...axis, values: clock }, { ...axis, size: 58, values: (plot, values) => values.map(format) }],
      series: [{ label: "Time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...lines],
      hooks: { drawClear: [background(data)], draw: [thresholds(data)] },
    };
  };

  const columns = (data) => {
    const values = data.is_stacked ? stacked(data.series) : data.series.map((one) => one.values);
    return [data.times, ...values];
  };

  const say = (holder, text) => {
    holder.replaceChildren();
    const message = document.createElement("p");
    message.className = "chart-message";
    message.textContent = text;
    holder.append(message);
  };

  const draw = (holder, data) => {
    charts.get(holder)?.plot?.destroy();
    if (data.error || !data.series.length || !data.times.length) {
      charts.set(holder, { data, plot: null });
      say(holder, data.error || data.empty || "No data in this range yet.");
      return;
    }
    holder.replaceChildren();
    // painted from the last stacked series to the first, so that every band stays visible
    const order = data.is_stacked ? data.series.map((_, index) => data.series.length - index) : null;
    const wanted = options(data, holder.clientWidth - 16, Number(holder.dataset.height || 220));
    const cells = columns(data);
    if (order) {
      wanted.series = [wanted.series[0], ...order.map((index) => wanted.series[index])];
      cells.splice(0, cells.length, cells[0], ...order.map((index) => cells[index]));
    }
    charts.set(holder, { data, plot: new window.uPlot(wanted, cells, holder) });
    holder.querySelector(".u-legend").tabIndex = 0; // a long one scrolls
    resizing.observe(holder);
  };

  const resizing = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = charts.get(target)?.plot;
      const width = target.clientWidth - 16;
      if (plot && width > 0 && plot.width !== width) plot.setSize({ width, height: plot.height });
    }
  });

  const load = async (holder) => {
    if (holder.dataset.inline) {
      draw(holder, JSON.parse(holder.dataset.inline));
      return;
    }
    try {
      const answer = await fetch(holder.dataset.src, { headers: { Accept: "application/json" } });
      const data = await answer.json();
      if (holder.isConnected) draw(holder, answer.ok ? data : { error: data.error || "The chart could not be loaded." });
    } catch {
      if (holder.isConnected) say(holder, "The chart could not be loaded. It is tried again with the next refresh.");
    }
  };

  const start = (root) => {
    for (const holder of charts.keys()) if (!holder.isConnected) charts.delete(holder);
    for (const holder of root.querySelectorAll("[data-chart]")) {
      const wanted = holder.dataset.src || holder.dataset.inline;
      if (loaded.get(holder) === wanted) continue;
      loaded.set(holder, wanted);
      load(holder);
    }
  };

  document.addEventListener("theme:changed", () => {
    for (const [holder, { data }] of charts) draw(holder, data);
  });
  document.addEventListener("refresh", (event) => {
    const holder = event.target; // while someone reads a value, the chart stands still
    if (holder.matches?.("[data-chart]") && !holder.matches(":hover")) load(holder);
  });
  document.body.addEventListener("htmx:afterSettle", () => start(document));
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-chart-range]");
    if (!tab) return;
    const holder = document.getElementById(tab.getAttribute("aria-controls"));
    for (const one of tab.parentElement.children) one.setAttribute("aria-pressed", one === tab);
    holder.dataset.src = tab.dataset.chartRange;
    start(document);
  });
  start(document);
})();
