import NeuralCF
import StageKit

extension NCFParameters {
    /// The `ncf` section: a preset, and what was set beside it.
    init(_ slice: Slice, courses: Int) {
        let name = slice.text("ncf.preset")
        // Measured (docs/ncf.md): on small catalogues deep towers, on large ones linear ones rank better.
        let automatic = courses <= Loss.mostCoursesInFull ? Preset.deep : .linear
        self.init(preset: Preset(rawValue: name) ?? automatic)
        takeScore(slice)
        takeTowers(slice)
        takeTraining(slice)
        model = Model(rawValue: slice.text("ncf.model"))!
        seed = UInt64(slice.integer("run.seed"))
    }

    private mutating func takeScore(_ slice: Slice) {
        trend = Bool(slice.text("ncf.trend")) ?? trend
        wide = Bool(slice.text("ncf.wide")) ?? wide
        guarded = Bool(slice.text("ncf.guarded")) ?? guarded
        validationLearners = slice.integer("ncf.validation_learners")
        linearExamples = slice.integer("ncf.linear_examples")
    }

    private mutating func takeTowers(_ slice: Slice) {
        learnerRows = LearnerRows(rawValue: slice.text("ncf.learner_rows")) ?? learnerRows
        learnerInput = LearnerInput(rawValue: slice.text("ncf.learner_input")) ?? learnerInput
        if slice.value("ncf.hidden") != .text("auto") { hidden = slice.integers("ncf.hidden") }
        embedding = slice.automaticInteger("ncf.embedding") ?? embedding
        output = Output(rawValue: slice.text("ncf.output")) ?? output
        temperature = slice.automaticNumber("ncf.temperature").map { Float($0) } ?? temperature
    }

    private mutating func takeTraining(_ slice: Slice) {
        examples = Examples(rawValue: slice.text("ncf.examples"))!
        cutsPerLearner = slice.integer("ncf.cuts_per_learner")
        emptyShare = slice.number("ncf.empty_share")
        examplesPerEpoch = slice.integer("ncf.examples_per_epoch")
        hide = slice.automaticNumber("ncf.hide") ?? hide
        if slice.text("ncf.loss") != "auto" { loss = Loss(rawValue: slice.text("ncf.loss"))! }
        rho = slice.number("ncf.rho")
        sharedNegatives = slice.integer("ncf.shared_negatives")
        negatives = slice.integer("ncf.negatives")
        negativePower = slice.number("ncf.negative_power")
        negativeWeight = NegativeWeight(rawValue: slice.text("ncf.negative_weight"))!
        batch = slice.automaticInteger("ncf.batch") ?? 0
        epochs = slice.integer("ncf.epochs")
        patience = slice.integer("ncf.patience")
        learningRate = slice.automaticNumber("ncf.learning_rate").map { Float($0) } ?? learningRate
        schedule = RateSchedule(rawValue: slice.text("ncf.schedule"))!
        dropout = slice.automaticNumber("ncf.dropout") ?? dropout
        l2 = Float(slice.number("ncf.l2"))
    }
}
