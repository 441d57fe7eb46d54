"""The table of findings, which every face of the results reads from."""

from lossgeometry.stage import Column, Stage, Table, always

FINDINGS = Table(
    "findings",
    "One sentence that the tables support, with its numbers, takeaways first; `findings.json` beside it has the same rows."
    " The page, the summary and the command line show these sentences and no other judgement",
    (
        Column("id", "what it is about, the same in every experiment"),
        Column("question", "the question that it answers"),
        Column("statement", "the sentence"),
        Column("value", "the effect; with several seeds their mean"),
        Column("low", "lower end of its interval"),
        Column("high", "upper end of that interval"),
        Column("interval", "what the interval is"),
        Column("unit", "unit of the three"),
        Column("chance", "what chance, a control, or the smallest effect that would have been seen is"),
        Column("seeds", "seeds that it rests on; 0 where seeds are not compared"),
        Column("agreeing", "of these, those with the verdict"),
        Column("verdict", "verdict, or counts of verdicts, of the table that it is from"),
        Column("not_shown", "what it does not show"),
        Column("section", "section of `explorer.html` where it is seen"),
        Column("view", "state of the page there, as its address has it"),
        Column("rank", "place among the takeaways; 0 for none"),
        Column("pair", "the two methods, or runs, that it is about, joined by `--`"),
    ),
    always,
)
STAGE = Stage(block="", tables=(FINDINGS,))
