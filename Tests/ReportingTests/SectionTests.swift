// Proves that sections answer what they are asked, and that what a run does not say is one sentence. Expected: by hand.

import Metrics
import Testing

import Reporting

@Suite struct SectionTests {
    private func interval(_ mean: Double, _ low: Double, _ high: Double) -> Interval {
        Interval(mean: mean, low: low, high: high)
    }

    /// Popular .1, cowatch .2, blend .3 for all; for the cold ones the blend cannot be told from cowatch, for `x` it is
    /// worse.
    private var comparison: Comparison {
        func slice(_ name: String, _ difference: Interval) -> Comparison.Slice {
            Comparison.Slice(
                name: name, learners: 10,
                metrics: [
                    "popular": ["ndcg@20": interval(0.1, 0.05, 0.15)], "cowatch": ["ndcg@20": interval(0.2, 0.1, 0.3)],
                    "ncf": ["ndcg@20": interval(0.9, 0.8, 1)], "blend": ["ndcg@20": interval(0.3, 0.2, 0.4)],
                ],
                differences: [
                    "popular": ["ndcg@20": interval(0.2, 0.1, 0.3)], "cowatch": ["ndcg@20": difference],
                    "ncf": ["ndcg@20": interval(-0.6, -0.7, -0.5)],
                ])
        }
        return Comparison(
            reference: "blend", models: ["popular", "cowatch", "ncf", "blend"],
            slices: [
                slice("all", interval(0.1, 0.05, 0.2)), slice("warm", interval(0.1, 0.05, 0.2)),
                slice("cold", interval(0, -0.1, 0.1)), slice("segment x", interval(-0.2, -0.3, -0.1)),
            ])
    }

    @Test func verdict() {
        let passes = Verdict.Gate(name: "coverage", value: 0.5, passes: true, line: "coverage 0.5")
        let fails = Verdict.Gate(name: "churn", value: 0.99, passes: false, line: "churn 0.99: failed")
        let unknown = Verdict.Gate(name: "volume", value: nil, passes: true, line: "no events")
        #expect(Verdict(gates: [passes, fails]).section.answer == "No: churn failed.")
        let open = Verdict(gates: [passes, unknown]).section.answer
        #expect(open == "Yes: no gate fails; 1 of 2 were measured and passed. Not measurable: volume.")
        #expect(Verdict(gates: nil).section.answer.hasPrefix("Not known"))
    }

    @Test func qualityNamesTheBestBaselineAndForWhomNot() {
        let section = Quality(comparison, protocolName: "test", k: 20).section
        #expect(
            section.answer.contains(
                "NDCG@20 .3000 against .2000 (+50\u{a0}%) of cowatch, the best simple baseline: better"))
        #expect(section.answer.contains("Worse for segment x."))
        #expect(section.answer.contains("Not shown to differ for learners without history."))
        #expect(section.body.text.contains("Nothing was published before"))
        let nothing = Quality(nil, protocolName: "nobody came", k: 20).section
        #expect(nothing.answer.hasPrefix("Not known") && nothing.body.text.contains("nobody came"))
    }

    @Test func whatIsMissingIsASentence() {
        let learned = Learned().section
        for text in ["No course map", "No learning curves", "No coefficients", "No calibration", "No blend weights"] {
            #expect(learned.body.text.contains(text))
        }
        #expect(!learned.body.text.contains("<figure"))
        for figure in ["map", "loss", "coefficients", "calibration", "weights"] {
            #expect(learned.body.text.contains("<p class=\"absent\" id=\"figure-\(figure)\">"), "\(figure)")
        }
        // The fixture has no figures of whole lists, as a run after which nothing happened.
        let quality = Quality(comparison, protocolName: "test", k: 20).section
        #expect(quality.body.text.contains("<p class=\"absent\" id=\"figure-wholes\">"))
        #expect(DataLoss().section.body.text.contains("No row was rejected."))
        #expect(Cost(stages: [], machine: "").section.answer.hasPrefix("Not known"))
        #expect(Reach().section.answer.contains("no churn"))
    }

    @Test func thePageLoadsNothing() {
        let page = Page(
            title: "A & B", facts: ["one"], sections: [Quality(comparison, protocolName: "test", k: 20).section],
            colophon: "end")
        let text = String(decoding: page.bytes, as: UTF8.self)
        #expect(text.contains("<title>A &amp; B</title>") && text.contains("default-src 'none'"))
        for forbidden in ["http:", "https:", "<script", "src=", "@import", "url("] {
            #expect(!text.contains(forbidden), "\(forbidden)")
        }
        for wanted in ["prefers-color-scheme:dark", "@media print", "lang=\"en\"", "viewport", "id=\"figure-models\""] {
            #expect(text.contains(wanted), "\(wanted)")
        }
    }
}
