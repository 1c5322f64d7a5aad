import GLMix
import Platform
import StageKit

/// The `glmix` section.
struct GLMixSettings {
    /// nil: auto.
    let features: [FeatureDeclaration]?
    /// nil: auto.
    let coordinates: [Coordinate]?
    let l2: Double
    let minCount: Int
    /// Days.
    let halfLife: Double
    let rules: RowRules
    let kappa: Double
    let passes: Int
    let tolerance: Double
    let variances: VarianceKind
    /// Trials of the search for λ's; 0: none.
    let trials: Int
    /// Run whose model is the prior; nil: none.
    let prior: String?
    let refits: Bool
    let writesExamples: Bool
    let seed: UInt64

    init(_ slice: Slice) {
        l2 = slice.number("glmix.l2")
        minCount = slice.integer("glmix.min_count")
        halfLife = Double(slice.seconds("glmix.half_life")!) / 86_400
        kappa = slice.number("glmix.watch_weight")
        passes = slice.integer("glmix.passes")
        tolerance = slice.number("glmix.tolerance")
        variances = VarianceKind(rawValue: slice.text("glmix.variances"))!
        trials = slice.integer("glmix.tune")
        let prior = slice.text("glmix.prior")
        self.prior = prior == "none" ? nil : prior
        refits = slice.boolean("glmix.refit")
        writesExamples = slice.boolean("glmix.write_examples")
        seed = UInt64(slice.integer("run.seed"))
        var rules = RowRules()
        rules.attribution = slice.seconds("glmix.attribution")!
        rules.weightWindow = slice.seconds("glmix.weight_window")!
        rules.negatives = slice.integer("glmix.negatives")
        rules.negativeMass = slice.number("glmix.negative_mass")
        rules.alpha = slice.number("glmix.alpha")
        rules.seed = seed
        self.rules = rules
        if case .list = slice.value("glmix.features") {
            features = slice.texts("glmix.features").map { try! FeatureDeclaration($0) }  // prepare-run has parsed them
        } else {
            features = nil
        }
        if case .list(let items) = slice.value("glmix.coordinates") {
            let l2 = l2
            coordinates = items.map { Self.coordinate($0, l2: l2) }
        } else {
            coordinates = nil
        }
    }

    private static func coordinate(_ value: Value, l2: Double) -> Coordinate {
        guard case .map(let fields) = value, case .text(let name)? = fields["name"] else {
            preconditionFailure("prepare-run has checked the coordinates")
        }
        var by: String?
        if case .text(let text)? = fields["by"], text != "none" { by = text }
        var bags: [String]
        switch fields["features"] {
        case .list(let items)?: bags = items.map { if case .text(let text) = $0 { text } else { $0.yaml } }
        default: bags = standardBags(by)
        }
        var result = Coordinate(name: name, by: by, bags: bags, l2: l2)
        switch fields["l2"] {
        case .integer(let v)?: result.l2 = Double(v)
        case .number(let v)?: result.l2 = v
        default: break
        }
        switch fields["l1"] {
        case .integer(let v)?: result.l1 = Double(v)
        case .number(let v)?: result.l1 = v
        default: break
        }
        if case .integer(let v)? = fields["min_rows"] { result.minRows = v }
        if case .integer(let v)? = fields["max_rows"] { result.maxRows = v }
        return result
    }

    static func standardBags(_ by: String?) -> [String] {
        switch by {
        case nil: FeatureSpace.bagNames
        case "course": [FeatureSpace.learnerBag]
        default: [FeatureSpace.courseBag]
        }
    }

    /// The coordinates of `auto`.
    func automatic(hasSegment: Bool) -> [Coordinate] {
        var list: [(String, String?)] = [("global", nil), ("per-learner", "learner"), ("per-course", "course")]
        if hasSegment { list.append(("per-segment", "segment")) }
        return list.map { Coordinate(name: $0.0, by: $0.1, bags: Self.standardBags($0.1), l2: l2) }
    }

    var descent: CoordinateDescent {
        var descent = CoordinateDescent()
        (descent.passes, descent.tolerance, descent.seed) = (passes, tolerance, seed)
        descent.variances = variances
        return descent
    }
}
