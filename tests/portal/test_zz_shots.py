from playwright.sync_api import sync_playwright


def test_shots(served):
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        for w in (1280, 400):
            pg = b.new_page(viewport={"width": w, "height": 900})
            for n, u in {
                "landing": "/",
                "collections": "/collections",
                "collection": "/collections/LUNG-01",
                "explore": "/explore?Modality=CT",
                "explore_fr": "/explore?lang=fr&q=%7B%22any%22%3A%5B%7B%22field%22%3A%22Modality%22%2C%22in%22%3A%5B%22CT%22%5D%7D%2C%7B%22field%22%3A%22AgeAtStudy%22%2C%22from%22%3A50%7D%5D%7D",
                "cohort": "/cohort?Modality=CT&with=2026.10.1",
                "refused": "/cohort/export?format=csv",
                "status": "/status",
                "console": "/console",
                "cert": "/collections/LUNG-01/certificate",
            }.items():
                pg.goto(served + u)
                pg.screenshot(path=f"/tmp/pages/shots/{n}_{w}.png", full_page=True)
                pg.context.clear_cookies()
            if w == 1280:
                pg.goto(served + "/console")
                pg.on("console", lambda m: print("C", m.text[:200]))
                pg.click("#run")
                pg.wait_for_selector("#sql-result table, #sql-status.bad", timeout=90000)
                print(pg.inner_text("#sql-status"), pg.inner_text("#sql-result"))
                pg.screenshot(path="/tmp/pages/shots/console_done.png", full_page=True)
        b.close()
