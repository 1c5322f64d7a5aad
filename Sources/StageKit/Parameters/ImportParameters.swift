extension Parameters {
    static let importing: [Parameter] = [
        Parameter(
            "import.max_rejected", .number(0...1), .number(0.001), unit: "of a table's rows",
            "More rows than this that cannot be used are an error; fewer are listed in logs/rejected.csv.gz.")
    ]
}
