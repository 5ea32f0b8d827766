/* SPDX-License-Identifier: MIT */
/*
 * The live parts of the page /features. A form says what to ask for, the attributes of the
 * button pressed say what to change; the <output> behind it shows what came.
 */
"use strict";
const tags = new Map(); /* of each URL, the entity tag that came last */

/* Error pages are HTML: show what they say. Their style is not wanted here. */
function plain(response, text) {
	if (!(response.headers.get("content-type") || "").includes("html"))
		return text;
	const page = new DOMParser().parseFromString(
		text.replace(/<style[^]*?<\/style>/g, "").replace(/(<\/(h1|p|li|tr)>)/g, "$1\n"), "text/html");
	return page.body.textContent.replace(/\s*\n\s*/g, "\n").trim();
}

function pretty(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === "object" ? JSON.stringify(value, null, 2) : text;
	} catch {
		return text;
	}
}

/* Lines of [element name or "", text]; what follows a status stands behind it. */
function show(output, good, lines) {
	output.replaceChildren(...lines.flatMap(([name, text], i) => {
		const node = name ? document.createElement(name) : document.createTextNode(text);
		node.textContent = text;
		return [node, name === "b" && lines[i + 1]?.[0] === "i" ? "  " : "\n"];
	}).slice(0, -1));
	output.className = good ? "good" : "bad";
}

/* What a form and the button pressed ask for. */
function requestOf(form, button) {
	const of = name => button.dataset[name] ?? form.dataset[name];
	const method = (of("method") ?? form.method).toUpperCase();
	const headers = new Headers();
	const path = form.querySelector("[data-path]"), data = new FormData(form);
	let url = new URL(of("action") ?? path?.value ?? form.getAttribute("action"), location.href);
	let body;

	if (of("header"))
		headers.set(...of("header").split(": "));
	if (method === "GET" && of("action") === undefined)
		for (const [name, value] of data)
			url.searchParams.append(name, value);
	if (method === "POST") {
		body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
		if (of("body")) {
			body = button.dataset.text ?? data.get("body");
			headers.set("Content-Type", of("body"));
		}
		if (of("forged") !== undefined)
			body.set("_xsrf", "2|00000000|00000000000000000000000000000000|1");
		else if (!(body instanceof URLSearchParams))
			headers.set("X-XSRFToken", document.body.dataset.token);
	}
	if (form.querySelector("[data-user]") && of("anonymous") === undefined)
		headers.set("Authorization", "Basic " + btoa(["user", "password"]
			.map(name => form.querySelector(`[data-${name}]`).value).join(":")));
	if (of("elsewhere") !== undefined)
		url.hostname = location.hostname === "localhost" ? "127.0.0.1" : "localhost";
	if (of("upstream") !== undefined && of("action") === undefined)
		url.searchParams.set("url", new URL(data.get("url"), location.href));
	const again = of("again") ?? of("againAlways");
	if (again !== undefined && tags.has(url.href))
		headers.set("If-None-Match", tags.get(url.href));
	return { url, options: { method, headers, body, cache: "no-store" } };
}

async function once(form, output, { url, options }) {
	const start = performance.now();
	const response = await fetch(url, options);
	const bytes = await response.arrayBuffer();
	const ms = (performance.now() - start).toFixed(1);
	const text = new TextDecoder().decode(bytes);
	const lines = [["b", `${response.status} ${response.statusText}`], ["i", `${ms} ms`]];

	if (response.redirected)
		lines.push(["i", `came from ${new URL(response.url).pathname}`]);
	for (const name of (form.dataset.show || "").split(" "))
		if (name && response.headers.has(name))
			lines.push(["i", `${name}: ${response.headers.get(name)}`]);
	if (response.headers.has("etag"))
		tags.set(url.href, response.headers.get("etag"));
	if (form.dataset.brief !== undefined && response.ok)
		lines.push(["", `${bytes.byteLength} bytes` + transferred(url)]);
	else
		lines.push(["", form.dataset.raw === undefined ? pretty(plain(response, text)) : text]);
	show(output, response.ok || response.status === 304, lines.filter(line => line[1] !== ""));
}

/* What crossed the wire, if that was less. */
function transferred(url) {
	const entry = performance.getEntriesByName(url.href).pop();
	return entry && entry.encodedBodySize < entry.decodedBodySize
		? `, sent as ${entry.encodedBodySize}` : "";
}

async function many(n, form, output, { url, options }) {
	const start = performance.now(), counts = new Map();
	let bad = null;
	await Promise.all(Array.from({ length: n }, async () => {
		const response = await fetch(url, options);
		await response.text();
		counts.set(response.status, (counts.get(response.status) || 0) + 1);
		if (!response.ok)
			bad = response;
	}));
	const lines = [["b", [...counts].sort().map(([status, k]) => `${k} × ${status}`).join(", ")],
		["i", `all in ${(performance.now() - start).toFixed(0)} ms`]];
	for (const name of (form.dataset.show || "").split(" "))
		if (name && bad?.headers.has(name))
			lines.push(["i", `${name}: ${bad.headers.get(name)}`]);
	show(output, !bad, lines);
}

async function stream(output, { url, options }) {
	const start = performance.now(), lines = [];
	const response = await fetch(url, options);
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
		lines.push(["", `${(performance.now() - start).toFixed(0).padStart(5)} ms  ${piece.value.trimEnd()}`]);
		show(output, response.ok, lines);
	}
}

let source = null, socket = null; /* the open stream of events; the open WebSocket */

function events(form, output, stop) {
	const lines = [];
	source?.close();
	source = null;
	if (stop)
		return show(output, true, [["i", "closed"]]);
	source = new EventSource(form.getAttribute("action"));
	source.addEventListener("tick", event => {
		lines.push(["", `${event.lastEventId}: ${event.data}`]);
		show(output, true, lines.slice(-8));
	});
	source.onerror = () => {
		lines.push(["i", "the stream ended; the browser comes again"]);
		show(output, true, lines.slice(-8));
	};
}

async function websocket(form, output, stop) {
	const add = (name, text) => show(output, true,
		[...output.lines = [...output.lines || [], [name, text]].slice(-8)]);
	if (stop)
		return socket?.close(1000, "enough");
	if (socket?.readyState !== WebSocket.OPEN) {
		const url = new URL(form.getAttribute("action"), location.href);
		url.protocol = url.protocol.replace("http", "ws");
		socket = new WebSocket(url);
		socket.onmessage = event => add("b", `← ${event.data}`);
		socket.onclose = event => add("i", `closed: ${event.code} ${event.reason}`);
		await new Promise(done => socket.onopen = done);
	}
	const message = form.querySelector("[data-message]").value;
	add("i", `→ ${message}`);
	socket.send(message);
}

async function use(form, button) {
	const output = form.parentElement.querySelector("output");
	const stop = button.dataset.stop !== undefined;
	if (form.dataset.events !== undefined)
		return events(form, output, stop);
	if (form.dataset.websocket !== undefined)
		return websocket(form, output, stop);
	const request = requestOf(form, button);
	button.disabled = true;
	try {
		if (form.dataset.stream !== undefined)
			await stream(output, request);
		else if (button.dataset.times)
			await many(Number(button.dataset.times), form, output, request);
		else
			await once(form, output, request);
	} catch (error) {
		show(output, false, [["b", "no answer"], ["", String(error)]]);
	} finally {
		button.disabled = false;
	}
}

document.querySelectorAll("form:not([data-navigate])").forEach(form =>
	form.addEventListener("submit", event => {
		event.preventDefault();
		use(form, event.submitter ?? form.querySelector("button"));
	}));
