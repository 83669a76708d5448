"use strict";
// The utterance browser: one sound, and one cursor through every chart at its position.
// Bokeh draws; this fills its sources when an utterance is chosen and moves what moves.

(() => {
  const utterances = JSON.parse(document.getElementById("utterances").textContent);
  const element = (id) => document.getElementById(id);
  const sound = element("sound");
  const TIME_CHARTS = ["sound", "phones", "spectrogram", "tracks"];
  const SERIES = ["measured", "predicted"].filter((name) => element(`show-${name}`));
  const MISSING = -32768, COUNTS_PER_MM = 100;

  let utterance, tracks, model, hidden = new Set(), cursorAt = -1;

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const fill = (name, data) => { model(name).data = data; };

  // The tracks of an utterance in mm: series -> channel -> one value per frame, NaN if missing.
  function unpack(packed, channels) {
    const all = {};
    for (const [series, text] of Object.entries(packed)) {
      const counts = new Int16Array(bytes(text).buffer), width = channels.length;
      all[series] = {};
      channels.forEach((channel, column) => {
        all[series][channel] = Array.from({ length: counts.length / width }, (_, frame) => {
          const count = counts[frame * width + column];
          return count === MISSING ? NaN : count / COUNTS_PER_MM;
        });
      });
    }
    return all;
  }

  const isShown = (series) => series in tracks && element(`show-${series}`).checked;
  const sensorOf = (channel) => channel.split("_")[0];
  const shownChannels = () => utterance.channels.filter((name) => !hidden.has(sensorOf(name)));

  function choose(index) {
    utterance = utterances[index];
    element("utterance").value = index;
    tracks = unpack(utterance.tracks, utterance.channels);
    sound.pause();
    sound.src = `data:audio/wav;base64,${utterance.sound}`;
    sound.playbackRate = Number(element("speed").value);
    model("time").setv({ start: 0, end: utterance.seconds });
    drawSound();
    drawPhones();
    drawTracks();
    drawPlace();
    move(0, true);
  }

  function drawSound() {
    const outline = new Int8Array(bytes(utterance.outline).buffer);
    const low = [], high = [], time = [], count = outline.length / 2;
    for (let k = 0; k < count; k++) {
      time.push((k + 0.5) * utterance.seconds / count);
      low.push(outline[2 * k] / 127);
      high.push(outline[2 * k + 1] / 127);
    }
    fill("outline", { time, low, high });
    const { picture, seconds, khz } = utterance.spectrogram;
    model("frequency").end = khz;
    fill("spectrogram", {
      url: [`data:image/png;base64,${picture}`], seconds: [seconds], khz: [khz],
    });
  }

  function drawPhones() {
    const phones = utterance.phones;
    model("phones chart").visible = phones.length > 0;
    const written = phones.filter((_, k) => utterance.rows[k] !== null);
    fill("phones", {
      time: written.map(([start, end]) => (start + end) / 2),
      height: utterance.rows.filter((row) => row !== null).map((row) => row ? 0.2 : 0.75),
      phone: written.map(([, , text]) => text),
    });
    const edges = [...new Set(phones.flatMap(([start, end]) => [start, end]))];
    for (const chart of TIME_CHARTS) fill(`${chart} edges`, { time: edges });
  }

  // Every channel has a band of height 1, the first on top; its scale is that of all series.
  function drawTracks() {
    const channels = shownChannels(), labels = new Map(), scores = new Map();
    const lines = Object.fromEntries(SERIES.map((name) => [name, { times: [], values: [] }]));
    channels.forEach((channel, k) => {
      const known = Object.values(tracks).flatMap((one) => one[channel]).filter(Number.isFinite);
      const low = Math.min(...known), high = Math.max(...known);
      const span = Math.max(high - low, 1), middle = (high + low) / 2;
      const digits = span < 10 ? 1 : 0;
      const place = channels.length - k - 0.5;
      scores.set(place, utterance.scores[utterance.channels.indexOf(channel)]);
      labels.set(place, `${channel.replaceAll("_", " ")}  ${span.toFixed(digits)} ${utterance.unit}`);
      for (const series of SERIES.filter(isShown)) {
        const values = tracks[series][channel];
        lines[series].times.push(values.map((_, t) => utterance.start + t * utterance.step));
        lines[series].values.push(values.map((v) => place + 0.88 * (v - middle) / span));
      }
    });
    model("bands").setv({ start: 0, end: Math.max(channels.length, 1) });
    model("bands of channels").ticks = [...labels.keys()];
    model("channels").major_label_overrides = labels;
    model("scores").major_label_overrides = scores;
    for (const series of SERIES) fill(series, lines[series]);
  }

  function drawPlace() {
    fill("palate", {
      x: utterance.palate.map(([x]) => x), y: utterance.palate.map(([, y]) => y),
    });
    model("midsagittal chart").visible = utterance.corners.length > 0;
    if (!utterance.corners.length) return;
    const [[left, bottom], [right, top]] = utterance.corners;
    const half = Math.max(right - left, top - bottom) / 2;  // the view is a square
    const [x, y] = [(left + right) / 2, (bottom + top) / 2];
    model("forward").setv({ start: x - half, end: x + half });
    model("height").setv({ start: y - half, end: y + half });
    model("forward axis").axis_label = `forward (${utterance.unit})`;
    model("height axis").axis_label = `height (${utterance.unit})`;
  }

  function placesAt(series, names, frame) {
    return names.map((name) => [`${name}_x`, `${name}_y`].map((c) => tracks[series][c][frame]));
  }

  const columns = (places) => ({ x: places.map(([x]) => x), y: places.map(([, y]) => y) });

  function moveView(frame) {
    const seen = utterance.points.map((_, k) => k).filter((k) => !hidden.has(utterance.points[k]));
    const points = seen.map((k) => utterance.points[k]);
    for (const series of SERIES) {
      const shown = isShown(series);
      fill(`${series} points`, columns(shown ? placesAt(series, points, frame) : []));
      const tongue = shown ? placesAt(series, utterance.tongue, frame) : [];
      const contour = tongue.length ? utterance.weights.map((row) => [0, 1].map(
        (axis) => row.reduce((sum, weight, k) => sum + weight * tongue[k][axis], 0))) : [];
      fill(`${series} tongue`, columns(contour));
    }
    const first = SERIES.find(isShown);
    const names = first ? seen : [];
    fill("names", {
      ...columns(first ? placesAt(first, points, frame) : []),
      name: names.map((k) => utterance.points[k]),
      right: names.map((k) => utterance.names[k][0]),
      down: names.map((k) => utterance.names[k][1]),
    });
  }

  // Bring every cursor and the midsagittal view to a time in s.
  function move(time, always = false) {
    if (!always && time === cursorAt) return;
    cursorAt = time;
    for (const chart of TIME_CHARTS) model(`${chart} cursor`).location = time;
    const frames = Object.values(tracks)[0][utterance.channels[0]].length;
    const frame = Math.round((time - utterance.start) / utterance.step);
    moveView(Math.min(Math.max(frame, 0), frames - 1));
    const phone = utterance.phones.find(([start, end]) => start <= time && time < end);
    element("clock").textContent = `${time.toFixed(2)} s${phone && phone[2] ? `  [${phone[2]}]` : ""}`;
  }

  function seek(time) {
    sound.currentTime = Math.min(Math.max(time, 0), utterance.seconds);
    move(sound.currentTime);
  }

  function follow() {
    move(sound.currentTime);
    if (!sound.paused) requestAnimationFrame(follow);
  }

  function toggle(box) {
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change"));
  }

  function step(by) {
    const count = utterances.length;
    choose((utterances.indexOf(utterance) + by + count) % count);
  }

  function playOrPause() {
    if (!sound.paused) return sound.pause();
    if (sound.currentTime >= utterance.seconds - 0.02) seek(0);
    sound.play();
  }

  const KEYS = {
    " ": playOrPause,
    ArrowLeft: (event) => seek(sound.currentTime - (event.shiftKey ? 0.1 : 0.01)),
    ArrowRight: (event) => seek(sound.currentTime + (event.shiftKey ? 0.1 : 0.01)),
    ArrowUp: () => step(-1),
    ArrowDown: () => step(1),
    m: () => element("show-measured") && toggle(element("show-measured")),
    p: () => element("show-predicted") && toggle(element("show-predicted")),
  };

  function listen() {
    element("play").addEventListener("click", playOrPause);
    element("utterance").addEventListener("change", (event) => choose(Number(event.target.value)));
    element("speed").addEventListener("change", (event) => {
      sound.playbackRate = Number(event.target.value);
    });
    sound.addEventListener("play", () => {
      element("play").textContent = "❚❚ pause";
      follow();
    });
    sound.addEventListener("pause", () => { element("play").textContent = "▶ play"; });
    sound.addEventListener("seeked", () => move(sound.currentTime));
    for (const name of SERIES) {
      element(`show-${name}`).addEventListener("change", () => {
        drawTracks();
        move(cursorAt, true);
      });
    }
    document.addEventListener("keydown", (event) => {
      const busy = event.target.closest("select, summary, a, video, #play");
      if (busy || event.ctrlKey || event.altKey || event.metaKey) return;
      const act = KEYS[event.key];
      if (!act) return;
      event.preventDefault();
      act(event);
    });
    for (const chart of TIME_CHARTS) {
      model(`${chart} chart`).on_event("tap", (event) => seek(event.x));
    }
  }

  function offerSensors() {
    const sensors = [...new Set(utterances.flatMap((one) => one.channels.map(sensorOf)))];
    for (const sensor of sensors) {
      const label = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox";
      box.checked = true;
      box.id = `sensor-${sensor}`;
      box.addEventListener("change", () => {
        hidden[box.checked ? "delete" : "add"](sensor);
        drawTracks();
        move(cursorAt, true);
      });
      label.append(box, ` ${sensor}`);
      element("sensors").append(label);
    }
  }

  function start() {
    const drawn = window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle;
    if (!drawn) return setTimeout(start, 20);
    const page = Bokeh.documents[0], known = new Map();
    model = (name) => {
      if (!known.has(name)) known.set(name, page.get_model_by_name(name));
      return known.get(name);
    };
    offerSensors();
    listen();
    choose(0);
    document.body.dataset.ready = "true";
  }

  start();
})();
