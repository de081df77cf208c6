def run(renders):
    return 0
