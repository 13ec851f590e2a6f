// The network as a picture: nodes on a circle, a line for all paths between two of them, and one to what is outside.
const svgNS = "http://www.w3.org/2000/svg";

function element(name, attributes, ...children) {
	const e = document.createElementNS(svgNS, name);
	for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
	e.append(...children);
	return e;
}

// Ends of a path, in an order that does not depend on its direction.
const between = (a, b) => [a, b].sort().join(" ");

function places(names) {
	const at = new Map();
	names.forEach((name, i) => {
		const angle = -Math.PI / 2 + 2 * Math.PI * i / names.length;
		at.set(name, { x: 320 + 210 * Math.cos(angle), y: 178 + 128 * Math.sin(angle) });
	});
	return at;
}

function neighbours(a, b, names) {
	const apart = Math.abs(names.indexOf(a) - names.indexOf(b));
	return apart === 1 || apart === names.length - 1;
}

// The state of several paths: how many of them fail, in words and as a shape beside the words.
function state(paths, t) {
	const bad = paths.filter(p => !p.passes).length;
	if (bad === 0) return { kind: "good", text: "✓ " + t.passes };
	if (bad === paths.length) return { kind: "bad", text: "✕ " + t.fails };
	return { kind: "some", text: "◐ " + t.partly(bad, paths.length) };
}

export function draw(svg, machines, paths, t) {
	const nodes = machines.filter(m => m.kind === "node");
	const outside = machines.find(m => m.kind === "outside");
	const at = places([...nodes, ...(outside ? [outside] : [])].map(m => m.name));
	const groups = new Map();
	for (const p of paths) {
		const to = at.has(p.to) ? p.to : outside?.name;
		if (!at.has(p.from) || to === undefined) continue;
		const key = between(p.from, to);
		groups.set(key, [...(groups.get(key) ?? []), p]);
	}
	const lines = [], labels = [], boxes = [];
	for (const [key, group] of groups) {
		const [a, b] = key.split(" ");
		const s = state(group, t);
		if (a === b) continue;
		const p = at.get(a), q = at.get(b);
		lines.push(element("line", { x1: p.x, y1: p.y, x2: q.x, y2: q.y, class: "way " + s.kind }));
		// Lines of nodes that are not neighbours on the circle cross in its middle: their labels keep away from there.
		const part = neighbours(a, b, [...at.keys()]) ? .5 : .34;
		const x = p.x + (q.x - p.x) * part, y = p.y + (q.y - p.y) * part;
		labels.push(element("g", { class: "label " + s.kind },
			element("rect", { x: x - 52, y: y - 11, width: 104, height: 22, rx: 4 }),
			element("text", { x, y: y + 4, "text-anchor": "middle" }, s.text)));
	}
	for (const m of [...nodes, ...(outside ? [outside] : [])]) {
		const { x, y } = at.get(m.name);
		const own = groups.get(between(m.name, m.name));
		const half = Math.max(76, 3.7 * m.name.length + 8); // kind's nodes have long names
		boxes.push(element("g", {},
			element("rect", { x: x - half, y: y - 26, width: 2 * half, height: 52, rx: 6, class: "box" }),
			element("text", { x, y: y - 7, "text-anchor": "middle", class: "name" }, m.name),
			element("text", { x, y: y + 7, "text-anchor": "middle", class: "small" }, m.address),
			element("text", { x, y: y + 20, "text-anchor": "middle", class: "small" },
				m.kind === "outside" ? t.outside : own ? t.nodeAnd + ": " + state(own, t).text : t.node)));
	}
	svg.replaceChildren(...lines, ...boxes, ...labels);
}

// Every path in a table, the failing ones first.
export function list(body, paths, t, lang) {
	const sorted = [...paths].sort((a, b) => a.passes - b.passes || a.from.localeCompare(b.from) || a.to.localeCompare(b.to));
	body.replaceChildren(...sorted.map(p => {
		const row = document.createElement("tr");
		for (const text of [t.kinds[p.kind] ?? p.kind, p.from, p.to]) row.insertCell().textContent = text;
		const result = row.insertCell();
		result.className = p.passes ? "good" : "bad";
		result.textContent = p.passes ? "✓ " + t.passes : "✕ " + t.fails + (p.says ? ": " + p.says[lang] : "");
		return row;
	}));
}
