extension Parameters {
    static let report: [Parameter] = [
        Parameter(
            "report.perplexity", .number(2...200), .number(30),
            "Course map: about how many neighbours of a course t-SNE keeps near it."),
        Parameter(
            "report.map_iterations", .integer(50...10_000), .integer(500), "Course map: steps of gradient descent."),
        Parameter(
            "report.chosen_courses", .integer(0...100), .integer(8),
            "Courses whose nearest courses are listed: the most watched of the largest categories."),
        Parameter(
            "report.learners", .integer(0...100), .integer(6), "Learners whose lists are shown with their reasons."),
    ]
}
