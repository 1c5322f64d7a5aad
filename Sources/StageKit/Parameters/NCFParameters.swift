extension Parameters {
    static let ncf: [Parameter] = [
        Parameter(
            "ncf.preset", .choice(["auto", "deep", "linear", "published"]), .text("auto"),
            "Where parameters that are auto take their values from (docs/ncf.md); auto = deep up to 4,000 courses, linear beyond."
        ),
        Parameter(
            "ncf.model", .choice(["towers", "id-mlp", "neumf"]), .text("towers"),
            "Two towers; or, for comparison with the literature, a model over the ids of learners and courses, which scores only those it was trained on (docs/ncf.md)."
        ),
        Parameter(
            "ncf.warm_start", .text, .text("none"),
            "none; current: begin from the towers that OUT/current has published; or the name of an earlier run beside this one."
        ),
        Parameter(
            "ncf.trend", .choice(["auto", "true", "false"]), .text("auto"),
            "Whether recent popularity is part of the score."),
        Parameter(
            "ncf.wide", .choice(["auto", "true", "false"]), .text("auto"),
            "Whether the wide matrix of build-cooccurrence is part of the score."),
        Parameter(
            "ncf.guarded", .choice(["auto", "true", "false"]), .text("auto"),
            "The towers count only if they improve NDCG@20 over trend and wide by more than three standard errors."),
        Parameter(
            "ncf.learner_rows", .choice(["auto", "watched", "cowatch"]), .text("auto"),
            "A watched course enters the learner tower as itself, or as its normalised co-watch row."),
        Parameter(
            "ncf.learner_input", .choice(["auto", "sum", "decay", "attention"]), .text("auto"),
            "Watched courses weigh alike; or less the older and the farther back they are (learnt); or as two learnt queries, for long- and short-term interest, weigh them."
        ),
        Parameter(
            "ncf.hidden", .structured(NCFSyntax.hidden), .text("auto"),
            "auto, or a list of widths: ReLU layers of both towers, the first is also the width of the tables."),
        Parameter("ncf.embedding", .automaticInteger(1...4_096), .text("auto"), "Length of the embeddings."),
        Parameter(
            "ncf.output", .choice(["auto", "dot", "cosine"]), .text("auto"),
            "Product of the embeddings plus a course bias, or their cosine; divided by the temperature."),
        Parameter(
            "ncf.temperature", .automaticNumber(1e-3...1e3), .text("auto"), "Divides the product; fixed, not learnt."),
        Parameter(
            "ncf.examples", .choice(["both", "snapshots", "rolling", "random"]), .text("both"),
            "Cuts at which a learner's history is split in context and labels: the run's snapshots, each of its moments, or items hidden at random (data without an order of time)."
        ),
        Parameter(
            "ncf.cuts_per_learner", .integer(1...10_000), .integer(8), "Rolling cuts of a learner per epoch, at most."),
        Parameter(
            "ncf.empty_share", .number(0...0.95), .number(0.2), unit: "of an epoch",
            "Examples with an empty context, at most (they train course biases)."),
        Parameter(
            "ncf.examples_per_epoch", .integer(1...1_000_000_000), .integer(131_072),
            "An epoch draws about so many examples, anew each time, from all there are."),
        Parameter(
            "ncf.hide", .automaticNumber(0...0.95), .text("auto"), unit: "of the context",
            "Dropped at random from the learner's input, anew each epoch; with random examples the labels."),
        Parameter(
            "ncf.loss", .choice(["auto", "softmax", "bce", "sampled-softmax", "sampled-bce"]), .text("auto"),
            "Over all candidates or a sample; auto = the preset's: softmax up to 4,000 courses, sampled-softmax beyond; bce for published."
        ),
        Parameter(
            "ncf.rho", .number(0...1), .number(0.5), "The n labels of an example weigh n^−rho each."),
        Parameter(
            "ncf.shared_negatives", .integer(1...1_000_000), .integer(4_000),
            "sampled-softmax: courses drawn uniformly per step, besides all labels of the step."),
        Parameter(
            "ncf.negatives", .integer(1...10_000), .integer(4), "sampled-bce: courses drawn per label."),
        Parameter(
            "ncf.negative_power", .number(0...2), .number(0),
            "sampled-bce: a course is drawn with probability proportional to its popularity to this power; 0: uniformly."
        ),
        Parameter(
            "ncf.negative_weight", .choice(["expected", "none"]), .text("expected"),
            "sampled-bce: a drawn course counts 1/(expected number of its draws), which is unbiased for bce, or 1 (none), as in the papers."
        ),
        Parameter(
            "ncf.batch", .automaticInteger(1...1_000_000), .text("auto"), unit: "examples",
            "Examples of a step; auto = a 64th of the epoch, but 256 to 2,048."),
        Parameter("ncf.epochs", .integer(0...10_000), .integer(12), "Epochs at most; 0 leaves trend and wide alone."),
        Parameter(
            "ncf.patience", .integer(1...10_000), .integer(3), unit: "epochs",
            "Training ends when NDCG@20 on validation half A has not risen for so long; the best epoch is kept."),
        Parameter(
            "ncf.learning_rate", .automaticNumber(1e-7...10), .text("auto"), "Adam's step size at the start."),
        Parameter(
            "ncf.schedule", .choice(["cosine", "step"]), .text("cosine"),
            "The learning rate falls along half a cosine, or to a tenth after two thirds of the epochs."),
        Parameter("ncf.dropout", .automaticNumber(0...0.95), .text("auto"), "Of the units of hidden layers."),
        Parameter("ncf.l2", .number(0...1e3), .number(0), "Added to the gradient as l2 times the weight."),
        Parameter(
            "ncf.validation_learners", .integer(1...100_000_000), .integer(4_096),
            "Warm learners of validation half A that are ranked after each epoch, at most (drawn once)."),
        Parameter(
            "ncf.linear_examples", .integer(1...100_000_000), .integer(8_192),
            "Snapshot cuts from which trend and wide are fitted, at most (drawn once)."),
        Parameter(
            "ncf.moments_mib", .integer(0...1_048_576), .integer(2_048), unit: "MiB",
            "More moments than fill this, at 12 bytes each, are mapped from a file in the run's folder instead of held in memory."
        ),
        Parameter(
            "ncf.refit", .boolean, .boolean(true),
            "Train once more with moments up to T for the final scores; false takes the validation fit for both."),
    ]
}

/// What is wrong with the structured parameters; nil: nothing.
package enum NCFSyntax {
    @Sendable static func hidden(_ value: Value) -> String? {
        if value == .text("auto") { return nil }
        guard case .list(let items) = value else { return "expected auto or a list of widths" }
        for item in items {
            guard case .integer(let width) = item, (1...8_192).contains(width) else {
                return "width \(item.yaml), expected a whole number from 1 to 8192"
            }
        }
        return nil
    }
}
