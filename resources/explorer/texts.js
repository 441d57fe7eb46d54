// What the models wrote: hostile text, which goes in as text and nothing else.
const FLIPS = [["", "all problems"], ["gained", "wrong to right"], ["lost", "right to wrong"], ["right", "right in both"], ["wrong", "wrong in both"]];
const MOST_SHOWN = 12;

function answerCard(title, row) {
  return el("div", { class: "wrote" }, el("h4", {}, title, row ? el("span", { class: row.right ? "right" : "wrong" }, row.right ? " ✓ right" : " ✗ wrong") : ""),
    row ? el("pre", { class: "completion", tabindex: 0 }, row.completion + (row.cut ? " […]" : "")) : el("p", { class: "empty" }, "no answer here"),
    row ? el("p", { class: "quiet" }, "found ", el("bdi", {}, row.extracted || "no answer"), ` · ${row.n_tokens} tokens`) : null);
}

function buildTexts() {
  const questions = table("questions");
  if (!questions.length) return;
  const answers = new Map(table("answers").map((row) => [JSON.stringify([row.set, row.problem_id, row.run]), row]));
  const of = (question, run) => answers.get(JSON.stringify([question.set, question.problem_id, run]));
  const wrote = new Set(table("answers").map((row) => row.run));
  const writers = bundle.runs.filter((run) => wrote.has(run.id)).map((run) => [run.id, run.name]);
  const sets = [...new Set(questions.map((row) => row.set))].map((name) => [name, name]);
  const flipOf = (before, after) => (!before || !after ? "" : before.right === after.right ? (after.right ? "right" : "wrong") : after.right ? "gained" : "lost");
  const list = el("div", { "aria-live": "polite" });
  const search = el("input", { type: "search", id: "search", size: 18, oninput: () => change({ search: search.value }) });
  syncs.push(() => { if (search.value !== state.search) search.value = state.search; });
  const update = () => {
    const wanted = state.search.toLowerCase();
    const rows = questions.filter((question) => question.set === state.set).map((question) => ({ question, before: of(question, "base"), after: of(question, state.writer) }))
      .filter(({ before, after }) => !state.flip || flipOf(before, after) === state.flip)
      .filter(({ question, before, after }) => !wanted || [question.problem, before?.completion, after?.completion].some((text) => text?.toLowerCase().includes(wanted)));
    list.replaceChildren(el("p", { class: "quiet" }, `${rows.length} of ${questions.filter((row) => row.set === state.set).length} problems kept here${rows.length > MOST_SHOWN ? `, the first ${MOST_SHOWN} shown` : ""}.`),
      ...rows.slice(0, MOST_SHOWN).map(({ question, before, after }) => el("article", { class: "sample" },
        el("h3", {}, `${question.set} · ${question.problem_id}`), question.problem ? el("pre", { tabindex: 0 }, question.problem) : null,
        question.answer ? el("p", { class: "quiet" }, "expected ", el("bdi", {}, question.answer)) : null,
        el("div", { class: "beside" }, answerCard("The base", before), answerCard(runs.get(state.writer)?.name ?? state.writer, after)))));
  };
  addSection("texts", "What the models wrote", [el("p", {}, "One problem, the base's answer beside a run's: the first answer to each. Kept here are problems that runs change, in both directions, and a few that none does; of how many they change, the accuracies above tell.")],
    el("div", { class: "selects" }, select("writer", "Run", writers), select("set", "Problems", sets), select("flip", "Change", FLIPS), el("label", {}, "Search", search)), list);
  sections.at(-1).update = update;
}

function buildRollouts() {
  const rows = table("samples");
  if (!rows.length) return;
  const verdicts = [["", "all"], ...[...new Set(rows.map((row) => row.verdict))].sort().map((name) => [name, name])];
  const list = el("div");
  const update = () => list.replaceChildren(...rows.filter((row) => !state.verdict || row.verdict === state.verdict).map((row) => el("article", { class: "sample" },
    el("h3", {}, `${row.verdict} · ${row.problem_id} · ${row.n_tokens} tokens`), row.problem ? el("pre", {}, row.problem) : null,
    el("pre", { class: "completion" }, row.completion + (row.cut ? " […]" : "")),
    el("p", { class: "quiet" }, "found ", el("bdi", {}, row.extracted || "no answer"), row.answer ? ", expected " : "", row.answer ? el("bdi", {}, row.answer) : ""))));
  addSection("rollouts", "What they were trained on", [el("p", {}, "A few rollouts of every verdict, as they are.")], el("div", { class: "selects" }, select("verdict", "Verdict", verdicts)), list);
  sections.at(-1).update = update;
}
