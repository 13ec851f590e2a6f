import { Live, token } from "./connection.js";
import { draw, list } from "./picture.js";
import { replay, recolour, shell } from "./shell.js";
import { $, lang, lost, minutes, speak, t, translate, trouble } from "./common.js";

let brief = { machines: [] }, last = { paths: [] }, help = {}, solution = [], notes = [];
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.colours || (prefersDark.matches ? "dark" : "light")) === "dark";

function colour(choice) {
	document.documentElement.dataset.colours = choice;
	recolour(isDark());
}

// What comes without being asked for.
function onEvent(event) {
	if (event.event === "paths") return showPaths(event);
	notes = event.notes;
	showNotes();
	showBrief(); // the clock may stand, or go on, and noise has an alarm of its own
}

// showNotes adds what is new to what the instructor has said and done, so that a screen reader tells of that alone.
function showNotes() {
	$("said-part").hidden = notes.length === 0;
	for (const n of notes.slice($("said").children.length)) {
		$("said").append(Object.assign(document.createElement("p"), { textContent: n.kind === "said" ? n.text : t().notes[n.kind] }));
	}
}

function showPaths(event) {
	last = event;
	if (event.error) {
		$("summary").textContent = t().unknown(event.error);
		return;
	}
	const paths = event.paths ?? [];
	const bad = paths.filter(p => !p.passes).length;
	const text = paths.length === 0 ? "…" : bad === 0 ? t().allPass(paths.length) : t().someFail(bad, paths.length);
	// A screen reader hears of it only where it differs.
	if ($("summary").textContent !== text) $("summary").textContent = text;
	draw($("picture"), brief.machines, paths, t());
	list($("paths").tBodies[0], paths, t(), lang());
}

async function showBrief() {
	brief = { ...await live.ask("brief", { language: lang() }), at: performance.now() };
	tick();
	$("paused").hidden = !brief.paused;
	document.title = $("title").textContent = brief.title;
	$("pager-text").innerHTML = brief.pager;
	$("expected").textContent = t().expected(brief.minutes);
	const chosen = $("machine").value;
	$("machine").replaceChildren(...brief.machines.map(m => new Option(m.node ? `${m.name} (${m.node})` : m.name, m.name, false, m.name === chosen)));
}

function showHints(h) {
	$("hints").replaceChildren(...h.hints.map(hint => {
		const li = document.createElement("li");
		li.innerHTML = hint.html;
		return li;
	}));
	$("cost").textContent = h.left ? t().cost(h.cost, h.points) : h.hints.length > 0 ? t().noHints : "";
	$("hint").disabled = !h.left;
	help = h;
	// What was seen, or is healed, is nothing to give up any more: the debrief is there.
	$("give-up").disabled = h.solutionCost === 0;
}

const showHelp = async () => showHints(await live.ask("hints", { language: lang() }));

function showSolution() {
	if (solution.length === 0) return;
	const heading = Object.assign(document.createElement("h3"), { textContent: t().solution });
	const commands = Object.assign(document.createElement("pre"), { textContent: solution.map(c => `${c.machine}# ${c.command}`).join("\n") });
	$("solved").replaceChildren(heading, commands);
}

// answer is what is done with the answer to the question that is asked. The dialog's close event comes later, when another question may
// be asked already.
let answer = () => {};

// sure asks once more before something that costs points. Escape is no.
function sure(what, text) {
	if (help.solutionCost === 0) return true;
	const dialog = $("sure");
	$("sure-heading").textContent = $("yes").textContent = what;
	$("sure-text").textContent = text(Math.min(help.solutionCost, help.points), help.points);
	answer(false); // of the question before, whose end is not told yet
	dialog.showModal();
	return new Promise(resolve => { answer = resolve; });
}

function showVerdict(v) {
	const box = $("verdict");
	box.className = v.verdict === "healed" ? "told good" : "told bad";
	const heading = document.createElement("h3");
	heading.textContent = (v.verdict === "healed" ? "✓ " : "✕ ") + t().verdicts[v.verdict];
	const says = document.createElement("p");
	says.textContent = v.says;
	const lines = document.createElement("ul");
	for (const line of v.lines ?? []) lines.append(Object.assign(document.createElement("li"), { textContent: line }));
	box.replaceChildren(heading, says, ...(lines.children.length > 0 ? [lines] : []));
	if (v.verdict === "healed") {
		brief.over = true;
		help.solutionCost = 0;
		$("give-up").disabled = true;
	}
}

function showDebrief(d) {
	$("score").textContent = `${t().points(d.points)} ${t().took(minutes(d.seconds))}`;
	$("moments").tBodies[0].replaceChildren(...d.moments.map(m => {
		const row = document.createElement("tr");
		row.insertCell().textContent = m.what;
		row.insertCell().textContent = m.machine || m.seconds > 0 ? minutes(m.seconds) : t().never;
		const code = document.createElement("code");
		code.textContent = m.command ? `${m.machine}# ${m.command}` : "";
		row.insertCell().append(code);
		return row;
	}));
	$("parts").replaceChildren(...d.parts.flatMap(p => {
		const heading = Object.assign(document.createElement("h3"), { textContent: p.heading });
		const body = document.createElement("div");
		body.innerHTML = p.html;
		return [heading, body];
	}));
	$("session").replaceChildren(...(d.sessions ?? []).map(s => new Option(`${s.machine} ${new Date(s.began).toLocaleTimeString(lang())}`, s.id)));
	$("play").disabled = (d.sessions ?? []).length === 0;
	$("told").hidden = false;
	$("told").focus();
}

// busy does what a button is for, once at a time, and says what went wrong.
function busy(button, work) {
	button.addEventListener("click", async () => {
		if (button.ariaBusy === "true") return;
		button.ariaBusy = "true";
		trouble("");
		const said = $("verdict");
		if (button.id === "check") { said.className = ""; said.textContent = t().working; }
		try {
			await work();
		} catch (e) {
			if (button.id === "check") said.textContent = "";
			trouble(e.message);
		} finally {
			button.ariaBusy = null;
		}
	});
}

function openShell(machine) {
	const box = document.createElement("section");
	box.className = "shell pane";
	box.tabIndex = -1;
	box.setAttribute("aria-label", machine);
	const bar = document.createElement("div");
	const close = Object.assign(document.createElement("button"), { textContent: t().close });
	close.setAttribute("aria-label", `${t().close}: ${machine}`);
	const screen = document.createElement("div");
	screen.className = "screen";
	bar.append(Object.assign(document.createElement("h3"), { textContent: machine }), close);
	box.append(bar, screen);
	$("shells").append(box);
	const s = shell(machine, screen, isDark(), t(), () => {});
	close.addEventListener("click", () => { s.close(); box.remove(); $("terminals").focus(); });
	s.focus();
}

// F6 goes round the parts of the page, as it goes round the panes of a window elsewhere.
addEventListener("keydown", e => {
	if (e.key !== "F6" || $("sure").open) return;
	e.preventDefault();
	const panes = [...document.querySelectorAll(".pane")].filter(p => !p.hidden);
	const inside = panes.findLastIndex(p => p.contains(document.activeElement));
	const next = panes[(inside + (e.shiftKey ? -1 : 1) + panes.length) % panes.length];
	(next.querySelector(".xterm-helper-textarea") && next.classList.contains("shell") ? next.querySelector(".xterm-helper-textarea") : next).focus();
}, { capture: true });

let playing = new AbortController();
busy($("check"), async () => showVerdict(await live.ask("check", { language: lang() })));
busy($("hint"), async () => showHints(await live.ask("hint", { language: lang() })));
busy($("solution"), async () => {
	if (!await sure(t().solution, t().sureSolution)) return;
	solution = await live.ask("solution");
	showSolution();
	await showHelp();
});
busy($("give-up"), async () => {
	if (!await sure(t().giveUp, t().sureGiveUp)) return;
	const told = await live.ask("give up", { language: lang() });
	await showHelp();
	showDebrief(told);
});
$("sure").addEventListener("cancel", () => answer(false)); // Escape, mostly
$("sure").addEventListener("close", () => { if (!$("sure").open) answer(false); });
for (const [button, is] of [["yes", true], ["back", false]]) {
	$(button).addEventListener("click", () => {
		$("sure").close();
		answer(is);
	});
}
busy($("debrief"), async () => showDebrief(await live.ask("debrief", { language: lang() })));
busy($("play"), async () => {
	playing.abort();
	playing = new AbortController();
	const text = await live.ask("recording", { session: $("session").value });
	replay(text, $("replay"), isDark(), () => Number($("speed").value), playing.signal);
});
$("open").addEventListener("click", () => openShell($("machine").value));
$("language").value = lang();
$("language").addEventListener("change", async e => {
	speak(e.target.value);
	translate();
	showPaths(last);
	showSolution();
	$("said").replaceChildren();
	showNotes();
	await showBrief();
	await showHelp();
	if (!$("told").hidden) showDebrief(await live.ask("debrief", { language: lang() }));
});
$("colours").value = localStorage.getItem("colours") ?? "";
$("colours").addEventListener("change", e => { localStorage.setItem("colours", e.target.value); colour(e.target.value); });
prefersDark.addEventListener("change", () => recolour(isDark()));
function tick() {
	if (brief.at && !brief.over && !brief.paused) $("clock").textContent = minutes(brief.seconds + (performance.now() - brief.at) / 1000);
}
setInterval(tick, 1000);

colour($("colours").value);
translate();
showPaths(last);
let live;
if (token() === null) {
	trouble(t().noToken);
} else {
	live = new Live("live", onEvent, lost);
	await showBrief();
	await showHelp();
	document.body.dataset.ready = "";
}
