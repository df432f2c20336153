module slashbatch

go 1.26
